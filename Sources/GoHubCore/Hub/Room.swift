/// A room as held by its owner: its members, the head of its history, and its sanctions.
struct Room: Sendable {
    struct RoomUser: Sendable {
        var name: String
        /// The user's sessions in the room. The user is present while there is at least one.
        var sessions: Int
    }

    /// The newest message delivered to members; unknown until the first answer from the store.
    private(set) var head: Position?
    private(set) var tail = MessageTail()
    private(set) var members: [SessionID: UserID] = [:]
    private(set) var users: [UserID: RoomUser] = [:]
    /// Sessions whose join waits for the store.
    var joining: Set<SessionID> = []
    private(set) var edges: [EdgeID] = []
    private(set) var membersByEdge: [EdgeID: Int] = [:]
    var presence = PresenceDelta()
    var receipts = RoomReceipts()
    var sanctions = RoomSanctions()

    /// Whether anybody is in the room, or is joining it.
    var isInUse: Bool { !members.isEmpty || !joining.isEmpty }

    /// True when the in-memory state can be evicted; the history stays in the store.
    func isIdle(isDirect: Bool) -> Bool {
        guard !isInUse, !receipts.hasEarly else { return false }
        // The users of a direct conversation receive events without being members.
        return !isDirect || !receipts.hasUnannounced
    }

    // MARK: Members

    /// - Returns: false when the session was already a member.
    mutating func add(_ session: SessionID, _ member: Member) -> Bool {
        guard members.updateValue(member.user, forKey: session) == nil else { return false }
        users[member.user, default: RoomUser(name: member.name, sessions: 0)].sessions += 1
        users[member.user]?.name = member.name
        membersByEdge[session.edge, default: 0] += 1
        if membersByEdge[session.edge] == 1 { edges.append(session.edge) }
        return true
    }

    /// - Returns: the session's user; `nil` when it was not a member.
    mutating func remove(_ session: SessionID) -> UserID? {
        guard let user = members.removeValue(forKey: session) else { return nil }
        users[user]?.sessions -= 1
        if users[user]?.sessions == 0 { users[user] = nil }
        membersByEdge[session.edge]? -= 1
        if membersByEdge[session.edge] == 0 {
            membersByEdge[session.edge] = nil
            edges.removeAll { $0 == session.edge }
        }
        return user
    }

    func sessions(of user: UserID) -> [SessionID] {
        members.filter { $0.value == user }.map(\.key)
            .sorted { ($0.edge.index, $0.serial) < ($1.edge.index, $1.serial) }
    }

    /// At most `max` users, ordered by id. If there are more, the selection is unspecified.
    func listMembers(max: Int) -> Event.Members {
        let listed = users.prefix(max).map { Member(user: $0.key, name: $0.value.name) }
        return Event.Members(listed: listed.sorted { $0.user < $1.user }, count: users.count)
    }

    // MARK: History

    /// The relation of a stored message to the members.
    enum Advance: Equatable {
        /// The message after the head; to be delivered to the members on these edges.
        ///
        /// - `mustFlushReceipt`: whether the sender's receipt must be written now rather than batched.
        case next(for: [EdgeID], mustFlushReceipt: Bool)
        /// Already covered by the head learned from the store: the members joined after it.
        case alreadyCovered
        /// A message with undelivered ones before it: see `HubState+CatchUp`.
        case ahead
        /// A message of another epoch: the members must resync.
        case otherEpoch

        /// Whether the sender's receipt must be written now rather than batched.
        var mustFlushReceipt: Bool {
            switch self {
            case .next(_, let mustFlushReceipt): mustFlushReceipt
            case .alreadyCovered, .otherEpoch: true
            // The receipt is noted on delivery.
            case .ahead: false
            }
        }
    }

    /// Notes a stored message.
    ///
    /// - Parameter isDirect: a direct conversation has no members for whom a gap would matter.
    mutating func advance(to message: StoredMessage, epoch: Epoch, isDirect: Bool, limits: Limits) -> Advance {
        if let head {
            guard head.epoch == epoch else { return .otherEpoch }
            guard message.offset > head.offset else { return .alreadyCovered }
            guard message.offset == head.offset + 1 || isDirect else { return .ahead }
        }
        let mustFlushReceipt =
            !message.content.isChange && receipts.noteSent(message.content.from, message.offset)
        head = Position(epoch: epoch, offset: message.offset)
        tail.append(message, messagesMax: limits.tailMessagesMax, bytesMax: limits.tailBytesMax)
        return .next(for: edges, mustFlushReceipt: mustFlushReceipt)
    }

    /// Adopts the store's head of the room when no newer one is known.
    ///
    /// - Returns: false when the store reports another epoch.
    mutating func adoptHead(_ position: Position) -> Bool {
        guard let head else {
            head = position
            return true
        }
        return head.epoch == position.epoch
    }

    /// Forgets the history, for another epoch.
    mutating func forgetHistory() {
        head = nil
        tail = MessageTail()
        receipts.resync()
    }
}
