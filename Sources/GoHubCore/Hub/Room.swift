/// A room as its owner holds it: who is there, where its history stands, and who may not speak.
struct Room: Sendable {
    struct RoomUser: Sendable {
        var name: String
        /// Sessions of the user in the room; the user is present while there is one.
        var sessions: Int
    }

    /// The newest message that the members were told of; unknown until the store was asked, or answered, once.
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

    /// Whether nothing would be lost by forgetting it: its history is the store's.
    func isIdle(isDirect: Bool) -> Bool {
        guard members.isEmpty, joining.isEmpty, !receipts.hasEarly else { return false }
        // A direct conversation's users are told without being members.
        return !isDirect || !receipts.hasUntold
    }

    // MARK: Members

    /// - Returns: false when the session was a member before.
    mutating func add(_ session: SessionID, _ member: Member) -> Bool {
        guard members.updateValue(member.user, forKey: session) == nil else { return false }
        users[member.user, default: RoomUser(name: member.name, sessions: 0)].sessions += 1
        users[member.user]?.name = member.name
        membersByEdge[session.edge, default: 0] += 1
        if membersByEdge[session.edge] == 1 { edges.append(session.edge) }
        return true
    }

    /// - Returns: whose session it was; `nil` when it was no member.
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

    /// At most `max` users, in the order of their ids; which ones, when there are more, is open.
    func listMembers(max: Int) -> Event.Members {
        let listed = users.prefix(max).map { Member(user: $0.key, name: $0.value.name) }
        return Event.Members(listed: listed.sorted { $0.user < $1.user }, count: users.count)
    }

    // MARK: History

    /// What a stored message is to the members.
    enum Advance: Equatable {
        /// The one after the head, for the members on these edges.
        case isNext(for: [EdgeID])
        /// One that the head, learned from the store, covers already: whoever is here joined after it.
        case isKnown
        /// One behind others that the members were not told: `HubState+CatchUp`.
        case isAhead
        /// One of another epoch: the members must start over.
        case breaksOff
    }

    /// Takes note of a message that was stored.
    ///
    /// - Parameters:
    ///   - isDirect: a direct conversation has no members whose order a hole would break.
    ///   - senderNeedsCare: whether the sender's receipt isn't just noted.
    mutating func advance(
        to message: StoredMessage, epoch: Epoch, isDirect: Bool, limits: Limits, senderNeedsCare: inout Bool
    ) -> Advance {
        senderNeedsCare = true
        if let head {
            guard head.epoch == epoch else { return .breaksOff }
            guard message.offset > head.offset else { return .isKnown }
            guard message.offset == head.offset + 1 || isDirect else {
                // It is noted when it is told.
                senderNeedsCare = false
                return .isAhead
            }
        }
        senderNeedsCare = !message.content.isFact && receipts.noteSent(message.content.from, message.offset)
        head = Position(epoch: epoch, offset: message.offset)
        tail.append(message, limits: limits)
        return .isNext(for: edges)
    }

    /// Takes note of where the store says that the room stands, when nothing newer is known.
    ///
    /// - Returns: false when the store speaks of another epoch.
    mutating func learn(_ position: Position) -> Bool {
        guard let head else {
            head = position
            return true
        }
        return head.epoch == position.epoch
    }

    /// Starts over in another epoch.
    mutating func forgetHistory() {
        head = nil
        tail = MessageTail()
        receipts.startOver()
    }
}
