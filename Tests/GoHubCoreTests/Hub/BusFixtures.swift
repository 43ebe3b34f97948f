import GoHubTestSupport

@testable import GoHubCore

/// The shard of node `a` on a bus, and helpers for dialogues with it. The other node is `b`.
extension HubState {
    /// Sessions 1, 2, … of these users are welcome, and members of the lobby with this head. The other node has no
    /// members. Everything has been told and compared, and the clock is at 1,000 ms.
    static func makeOnBus(
        _ users: UserID..., head: Offset = 0, limits: Limits = Limits(), cluster: ClusterLimits = ClusterLimits()
    ) -> HubState {
        var state = HubState(limits: limits, cluster: cluster, node: .a)
        state.linkToBus(now: .ms(0))
        _ = state.actions { $0.clusterChanged(.onBus, now: .ms(0), into: &$1) }
        for (index, user) in users.enumerated() {
            let session = SessionID.number(UInt64(index) + 1)
            state.settle(head: head, now: .ms(0)) { $0.connected(session, .of(user), now: .ms(0), into: &$1) }
            state.settle(head: head, now: .ms(0)) { $0.joined(.make(session, user), now: .ms(0), into: &$1) }
        }
        state.settle(head: head, now: .ms(1000)) { $0.timerFired(now: .ms(1000), into: &$1) }
        return state
    }

    /// Performs an input, and answers what it asks for: as a bus that nobody else listens to, and as a store with this
    /// head in each room that has what the shard has.
    ///
    /// - Returns: the actions of the input and of all answers.
    @discardableResult
    mutating func settle(
        head: Offset = 0, now: MonotonicTime, _ input: (inout HubState, inout [HubAction]) -> Void
    ) -> [HubAction] {
        var all: [HubAction] = []
        var next = actions(input)
        while !next.isEmpty {
            all += next
            next = next.flatMap { answer(to: $0, head: head, now: now) }
        }
        return all
    }

    private mutating func answer(to action: HubAction, head: Offset, now: MonotonicTime) -> [HubAction] {
        switch action {
        case .bus(.subscribe(let topics)): confirm(topics, now: now)
        case .bus(.publish(_, _, let number, _)) where number != 0:
            actions { $0.published(number, receivers: 0, now: now, into: &$1) }
        case .read(let read, let pending):
            actions { $0.historyRead(pending, .success(.make(head: head)), read, now: now, into: &$1) }
        case .readHeads: actions { $0.headsRead(.success([]), now: now, into: &$1) }
        case .storeReceipts: actions { $0.receiptsStored(.success(()), now: now, into: &$1) }
        default: []
        }
    }

    /// Confirms subscriptions.
    mutating func confirm(_ topics: [ClusterTopic], now: MonotonicTime) -> [HubAction] {
        topics.flatMap { topic in actions { $0.subscribed(topic, now: now, into: &$1) } }
    }

    /// Hears a message of another node.
    mutating func hear(
        _ message: ClusterMessage, to topic: ClusterTopic = .room(.lobby), from node: NodeIncarnation = .b,
        now: MonotonicTime
    ) -> [HubAction] {
        let frame = ClusterFrame(from: node, time: HybridTime(value: 1), topic: topic, message)
        return actions { $0.received(frame, now: now, into: &$1) }
    }

    mutating func timerFires(at now: MonotonicTime) -> [HubAction] {
        actions { $0.timerFired(now: now, into: &$1) }
    }
}

extension ClusterView {
    /// As node `a` sees node `b` on a healthy bus.
    static let onBus = ClusterView(peers: [.named("b")], answering: [.b], hasBus: true)
}

extension ClusterTopic {
    static func user(_ user: UserID) -> ClusterTopic { .user(UserKey(tenant: .standard, user: user)) }
}

extension ClusterMessage {
    /// Entries with these offsets.
    static func entries(
        _ offsets: Offset..., epoch: Epoch = epoch, presence: PresenceVersion? = nil
    ) -> ClusterMessage {
        .entries(RoomEntries(epoch, offsets.map { .make($0) }, presence: presence))
    }
}

/// A publication without its number and time.
struct Published: Equatable {
    var topic: ClusterTopic
    var message: ClusterMessage

    init(_ message: ClusterMessage, to topic: ClusterTopic = .room(.lobby)) {
        self.topic = topic
        self.message = message
    }
}

extension [HubAction] {
    var published: [Published] {
        compactMap {
            if case .bus(.publish(let message, let topic, _, _)) = $0 { Published(message, to: topic) } else { nil }
        }
    }

    var subscribed: [ClusterTopic] {
        flatMap { action -> [ClusterTopic] in
            if case .bus(.subscribe(let topics)) = action { topics } else { [] }
        }
    }

    var unsubscribed: [ClusterTopic] {
        flatMap { action -> [ClusterTopic] in
            if case .bus(.unsubscribe(let topics)) = action { topics } else { [] }
        }
    }

    /// The numbers of publications that the bus reports on.
    var numbers: [UInt64] {
        compactMap { if case .bus(.publish(_, _, let number, _)) = $0, number != 0 { number } else { nil } }
    }

    var reads: [HistoryRequest] {
        compactMap { if case .read(let read, _) = $0 { read } else { nil } }
    }

    /// The offsets that members receive.
    var delivered: [Offset] {
        compactMap { if case .deliver(.message(_, let message), _, _) = $0 { message.offset } else { nil } }
    }

    /// The changes of presence that members receive.
    var presence: [Event] {
        compactMap { if case .deliver(let event, _, _) = $0, case .presence = event { event } else { nil } }
    }

    var comparesRooms: Bool { contains { if case .readHeads = $0 { true } else { false } } }
}
