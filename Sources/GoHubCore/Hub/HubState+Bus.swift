/// A shard's side of the bus (`ClusterBus`): its link, and its subscriptions.
///
/// The store is the truth, and the bus only tells sooner what the store would tell anyway. Without a link the store is
/// polled (`HubState+Comparison`), and nobody waits for anything.
///
/// ```
/// busRestored ─► subscribe to every room with members and every user with sessions
///                     │ subscribed, one after the other
///                     ▼
///                all confirmed ─► every room is compared with the store once, which then isn't polled any more
///
/// first join of a room   ─► subscribe ─► subscribed ─► the page is read for the join
/// first session of a user ─► subscribe ─► subscribed ─► claim ─► welcome (`HubState+Claims`)
/// ```
///
/// `HubState+BusPublishing` has what this node tells, `HubState+BusMessages` what it hears.
struct BusLink: Sendable {
    /// Topics of one request to the bus.
    static let topicsPerRequest = 512

    var subscriptions = BusSubscriptions()
    var clock = NodeClock()
    var outbox = BusOutbox()
    var directEntries = ReceivedDirectEntries()
    var directReceipts = ToldDirectReceipts()
    /// The newest positions that were heard of rooms whose first page is still being read.
    var early: [RoomID: Position] = [:]
    /// Joins that wait for the subscription of their room.
    var joins: [RoomID: [JoinRequest]] = [:]
    /// Keys of sessions that wait for the subscription of their user.
    var welcomes: [UserKey: [SessionKey]] = [:]
    /// The keys of the sessions that are claimed.
    var keys: [SessionID: SessionKey] = [:]
    /// Claims that the bus has not taken yet, by their numbers.
    var claims: [UInt64: SessionClaim] = [:]
    /// Rooms in which the others' users are asked for, by the numbers of the publications.
    var presenceQuestions: [UInt64: RoomID] = [:]
    var lastNumber: UInt64 = 0
    /// Kicks that no other node has heard of, because there was no link. Unlike a ban, a kick isn't in the store.
    var kicks: [(at: MonotonicTime, room: RoomID, Sanction)] = []
    /// More of them are lost.
    static let kicksMax = 100
    /// Older ones are not worth a surprise.
    static let kickExpiry: Milliseconds = 10_000
    /// The rooms in memory that have or had members.
    var presence: [RoomID: ClusterPresence] = [:]
    /// Nodes that have ended lately: their late messages bring no users back.
    var ended: Set<NodeIncarnation> = []
}

extension HubState {
    // MARK: The link

    /// Handles the return of the link, which has no subscriptions.
    package mutating func busRestored(at wall: WallTime, now: MonotonicTime, into actions: inout [HubAction]) {
        bus.clock.set(wall, at: now)
        let inUse = rooms.filter { !$0.key.name.isDirect && $0.value.isInUse }.map { ClusterTopic.room($0.key) }
        let topics = users.keys.map { ClusterTopic.user($0) } + inUse
        bus.subscriptions.restored(topics)
        for start in stride(from: 0, to: topics.count, by: BusLink.topicsPerRequest) {
            let end = min(start + BusLink.topicsPerRequest, topics.count)
            actions.append(.bus(.subscribe(Array(topics[start..<end]))))
        }
        completeBus(now: now, into: &actions)
    }

    /// Handles the loss of the link. Nobody waits any longer, and the store is polled.
    package mutating func busLost(now: MonotonicTime, into actions: inout [HubAction]) {
        bus.subscriptions.lost()
        bus.outbox = BusOutbox()
        bus.claims = [:]
        bus.presenceQuestions = [:]
        perform(now: now, into: &actions) { claims, _, claimActions in claims.linkLost(into: &claimActions) }
        let (joins, welcomes) = (bus.joins, bus.welcomes)
        (bus.joins, bus.welcomes) = ([:], [:])
        for room in joins.keys.sorted() {
            for join in joins[room] ?? [] { resume(join, into: &actions) }
        }
        for user in welcomes.keys.sorted(by: { ($0.tenant.value, $0.user) < ($1.tenant.value, $1.user) }) {
            for key in welcomes[user] ?? [] { claim(key, now: now, into: &actions) }
        }
        pollingChanged(now: now, into: &actions)
    }

    private mutating func completeBus(now: MonotonicTime, into actions: inout [HubAction]) {
        guard bus.subscriptions.completed() else { return }
        // What was published in between was not heard.
        compareAll(now: now, into: &actions)
        publishKicks(now: now, into: &actions)
        perform(now: now, into: &actions) { claims, _, claimActions in
            claims.linkRestored(now: now, into: &claimActions)
        }
    }

    /// Handles the bus's report on a publication with a number.
    package mutating func published(
        _ number: UInt64, receivers: Int?, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        if let room = bus.presenceQuestions.removeValue(forKey: number) {
            bus.presence[room]?.askedNodes(receivers)
        } else {
            claimPublished(number, receivers: receivers, now: now, into: &actions)
        }
    }

    // MARK: Subscriptions

    /// Subscribes to a topic.
    ///
    /// - Returns: false if the caller must wait for the confirmation.
    mutating func subscribe(to topic: ClusterTopic, into actions: inout [HubAction]) -> Bool {
        switch bus.subscriptions.want(topic) {
        case .goOn: return true
        case .wait(let mustSubscribe):
            if mustSubscribe { actions.append(.bus(.subscribe([topic]))) }
            return false
        }
    }

    mutating func unsubscribe(from topic: ClusterTopic, into actions: inout [HubAction]) {
        if bus.subscriptions.drop(topic) { actions.append(.bus(.unsubscribe([topic]))) }
    }

    /// Handles the confirmation of a subscription.
    package mutating func subscribed(_ topic: ClusterTopic, now: MonotonicTime, into actions: inout [HubAction]) {
        switch bus.subscriptions.confirmed(topic) {
        case .unknown: return
        case .unwanted:
            // Whoever waited for it has ended.
            switch topic {
            case .room(let room): bus.joins[room] = nil
            case .user(let user): bus.welcomes[user] = nil
            case .all, .node: break
            }
            actions.append(.bus(.unsubscribe([topic])))
        case .confirmed:
            switch topic {
            case .room(let room):
                for join in bus.joins.removeValue(forKey: room) ?? [] { resume(join, into: &actions) }
                askForPresence(of: room, now: now, into: &actions)
            case .user(let user):
                for key in bus.welcomes.removeValue(forKey: user) ?? [] { claim(key, now: now, into: &actions) }
            case .all, .node: break
            }
        }
        completeBus(now: now, into: &actions)
    }
}

/// The node's clock for the bus (`HybridClock`), read from the monotonic time that comes with every input. It begins
/// with the calendar when the link comes up; later corrections of the calendar don't matter to it.
struct NodeClock: Sendable {
    private var clock = HybridClock()
    private var wall = WallTime(milliseconds: 0)
    private var at = MonotonicTime(nanoseconds: 0)

    mutating func set(_ wall: WallTime, at now: MonotonicTime) {
        (self.wall, at) = (wall, now)
    }

    mutating func heard(_ time: HybridTime) { clock.heard(time) }

    mutating func next(now: MonotonicTime) -> HybridTime {
        clock.next(at: calendar(now: now))
    }

    func calendar(now: MonotonicTime) -> WallTime {
        let (sum, isOver) = wall.milliseconds.addingReportingOverflow(Int64(clamping: now.since(at).value))
        return WallTime(milliseconds: isOver ? .max : sum)
    }
}
