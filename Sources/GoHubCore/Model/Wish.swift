/// What somebody wants done to a message: a fact, if the store finds that it may become one.
public struct Wish: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The draft's text is the new one.
        case edit
        /// - `mayModerate`: whether others' messages, too.
        case delete(mayModerate: Bool)
        case react(Reaction, isRemoval: Bool, ReactionBounds)
    }

    /// How many reactions a message may have.
    public struct ReactionBounds: Hashable, Sendable {
        /// Different ones.
        public var kindsMax: Int
        /// Of one user.
        public var perUserMax: Int
        /// Of all users.
        public var totalMax: Int

        public init(kindsMax: Int, perUserMax: Int, totalMax: Int) {
            self.kindsMax = kindsMax
            self.perUserMax = perUserMax
            self.totalMax = totalMax
        }
    }

    /// The message that it speaks of.
    public var target: Offset
    public var kind: Kind

    public init(of target: Offset, _ kind: Kind) {
        self.target = target
        self.kind = kind
    }
}

extension MessageDraft {
    /// A wish on its way into the store.
    ///
    /// - Parameter text: of an edit.
    public init(room: RoomID, id: CommandID, from: Member, receivedAt: WallTime, _ wish: Wish, text: String = "") {
        self.init(
            room: room, receivedAt: receivedAt, MessageContent(id: id, from: from, text: text, kind: .wish(wish)))
    }

    public var wish: Wish? {
        if case .wish(let wish) = content.kind { wish } else { nil }
    }
}
