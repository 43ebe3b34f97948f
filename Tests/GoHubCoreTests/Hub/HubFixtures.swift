import GoHubTestSupport

@testable import GoHubCore

let epoch = Epoch("e1")

/// A state with members, and helpers for dialogues with it.
extension HubState {
    /// Links the shard to a bus, which confirms all its subscriptions.
    mutating func linkToBus(now: MonotonicTime) {
        for case .bus(.subscribe(let topics)) in actions({ $0.busRestored(at: .ms(0), now: now, into: &$1) }) {
            for topic in topics { _ = actions { $0.subscribed(topic, now: now, into: &$1) } }
        }
    }

    /// Sessions 1, 2, … of these users are welcome, members of the room, and know of each other. The room's head is
    /// `head`; its tail is empty. The clock is at 1,000 ms.
    static func makeWithMembers(
        _ users: UserID..., in room: RoomID = .lobby, head: Offset = 0, limits: Limits = Limits(),
        cluster: ClusterLimits = ClusterLimits()
    ) -> HubState {
        var state = HubState(limits: limits, cluster: cluster)
        for (index, user) in users.enumerated() {
            let session = SessionID.number(UInt64(index) + 1)
            _ = state.actions { $0.connected(session, .of(user), now: .ms(0), into: &$1) }
            state.join(.make(session, user, room: room), head: head, now: .ms(0))
        }
        _ = state.actions { $0.timerFired(now: .ms(0) + max(limits.presenceDelay, limits.receiptDelay), into: &$1) }
        // The room's followers.
        _ = state.actions {
            $0.receiptsStored(.success(()), now: .ms(0) + max(limits.presenceDelay, limits.receiptDelay), into: &$1)
        }
        return state
    }

    /// Fires the due timers, except writes of receipts and followers.
    mutating func timerFiredForPresence(now: MonotonicTime) -> [HubAction] {
        actions { $0.timerFired(now: now, into: &$1) }.filter { if case .storeReceipts = $0 { false } else { true } }
    }

    /// Joins, and answers a needed read with an empty page.
    mutating func join(_ request: JoinRequest, head: Offset = 0, now: MonotonicTime) {
        for case .read(let read, let pending) in actions({ $0.joined(request, now: now, into: &$1) }) {
            _ = actions { $0.historyRead(pending, .success(.make(head: head)), read, now: now, into: &$1) }
        }
    }

    /// Sends a message from a sender that the test ignores, and has it stored.
    mutating func publish(
        offset: Offset, by user: UserID = .bob, to room: RoomID = .lobby, epoch: Epoch = epoch, now: MonotonicTime
    ) -> [HubAction] {
        let appendRequest = AppendRequest.make(user, id: "m\(offset)", in: room)
        _ = actions { $0.published(appendRequest, now: now, into: &$1) }
        let position = Position(epoch: epoch, offset: offset)
        return actions { $0.stored(appendRequest, .stored(position, at: .ms(0)), now: now, into: &$1) }
    }

    /// Whether the session is a member of the room.
    func isMember(_ session: UInt64, of room: RoomID = .lobby) -> Bool {
        rooms[room]?.members[.number(session)] != nil
    }
}

extension JoinRequest {
    static func make(
        _ session: SessionID, _ user: UserID, id: String = "j", room: RoomID = .lobby, since: Offset? = nil,
        limit: Int = 0
    ) -> JoinRequest {
        JoinRequest(
            session: session, id: .named(id), room: room, member: Member(user: user),
            since: since.map { Position(epoch: epoch, offset: $0) }, limit: limit)
    }
}

extension HistoryPage {
    /// A page up to `head` that holds these offsets.
    static func make(
        head: Offset, _ offsets: ClosedRange<Offset>? = nil, more: Bool = false, epoch: Epoch = epoch
    ) -> HistoryPage {
        HistoryPage(
            head: Position(epoch: epoch, offset: head), messages: offsets.map { $0.map { .make($0) } } ?? [], more: more
        )
    }
}

extension StoredMessage {
    static func make(_ offset: Offset, from user: UserID = .bob) -> StoredMessage {
        StoredMessage(
            offset: offset, id: .named("m\(offset)"), from: Member(user: user), at: .ms(0), text: "text of m\(offset)")
    }
}

extension AppendRequest {
    static func make(
        by session: SessionID = .number(2), _ user: UserID = .bob, id: String, in room: RoomID = .lobby,
        isEphemeral: Bool = false
    ) -> AppendRequest {
        let draft = MessageDraft(
            room: room, id: .named(id), from: Member(user: user), receivedAt: .ms(0), text: "text of \(id)")
        return AppendRequest(
            requester: Requester(.session(session), id: .named(id)), draft: draft, isEphemeral: isEphemeral)
    }
}

extension Requester {
    static func session(_ serial: UInt64, id: String = "r") -> Requester {
        Requester(.session(.number(serial)), id: .named(id))
    }
}

extension Event {
    static func joined(
        id: String = "j", room: RoomName = .lobby, head: Offset, recovered: Bool = false,
        _ offsets: ClosedRange<Offset>? = nil, members: UserID..., receipts: [UserReceipt] = [], epoch: Epoch = epoch
    ) -> Event.Joined {
        Event.Joined(
            id: .named(id), room: room, head: Position(epoch: epoch, offset: head), recovered: recovered,
            messages: offsets.map { $0.map { .make($0) } } ?? [],
            members: Event.Members(listed: members.map { Member(user: $0) }, count: members.count), receipts: receipts)
    }

    static func ack(
        _ id: String, room: RoomName = .lobby, offset: Offset?, isDuplicate: Bool = false, epoch: Epoch = epoch
    ) -> Event {
        .ack(
            Event.Ack(
                id: .named(id), room: room, position: offset.map { Position(epoch: epoch, offset: $0) }, at: .ms(0),
                isDuplicate: isDuplicate))
    }

    static func presence(joined: [UserID] = [], left: [UserID] = [], count: Int, room: RoomName = .lobby) -> Event {
        .presence(
            Event.Presence(room: room, joined: joined.map { Member(user: $0) }, left: left, count: count))
    }
}

extension HubAction {
    /// To the members of the lobby on edge 0.
    static func deliver(_ event: Event) -> HubAction { .deliver(event, .lobby, [EdgeID(0)]) }

    static func send(_ session: UInt64, _ message: HubMessage) -> HubAction { .send(.number(session), message) }
}
