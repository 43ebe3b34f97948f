/// A request to change a message. The store decides whether it becomes a change.
public struct ChangeRequest: Hashable, Sendable {
    /// The requested change.
    public enum Kind: Hashable, Sendable {
        /// The draft's text is the new one.
        case edit
        /// - `mayModerate`: whether it may delete other users' messages.
        case delete(mayModerate: Bool)
        /// Gives a reaction, or takes the user's own back. The bounds apply to giving only.
        case react(Reaction, isRemoval: Bool, ReactionBounds)
    }

    /// The limits of reactions to a message.
    public struct ReactionBounds: Hashable, Sendable {
        /// Different reactions.
        public var kindsMax: Int
        /// Reactions of one user.
        public var perUserMax: Int
        /// Reactions of all users.
        public var totalMax: Int

        public init(kindsMax: Int, perUserMax: Int, totalMax: Int) {
            self.kindsMax = kindsMax
            self.perUserMax = perUserMax
            self.totalMax = totalMax
        }
    }

    /// The message to change.
    public var target: Offset
    public var kind: Kind

    public init(of target: Offset, _ kind: Kind) {
        self.target = target
        self.kind = kind
    }
}

extension MessageDraft {
    /// A change request on its way into the store.
    ///
    /// - Parameters:
    ///   - room: the message's room.
    ///   - id: the idempotency key.
    ///   - from: the user who requests the change.
    ///   - receivedAt: the time when the hub received it.
    ///   - request: the message and its change.
    ///   - text: the new text of an edit.
    public init(
        room: RoomID, id: CommandID, from: Member, receivedAt: WallTime, _ request: ChangeRequest, text: String = ""
    ) {
        self.init(
            room: room, receivedAt: receivedAt,
            MessageContent(id: id, from: from, text: text, kind: .changeRequest(request)))
    }

    /// The change request; `nil` for a message.
    public var changeRequest: ChangeRequest? {
        if case .changeRequest(let request) = content.kind { request } else { nil }
    }
}
