import GoHubTestSupport

@testable import GoHubCore

/// One run: clients do anything at any time. Afterwards everything settles, and all results must agree.
struct SimulationRun {
    struct Client {
        let user: UserID
        let device: DeviceID
        /// The hub of the newest connection.
        var hub = 0
        var session: SessionID?
        var sends: [Command] = []
    }

    /// What the clients were told, and what became of it.
    final class Log {
        var problem: Violation?
        var views: [SessionID: ClientView] = [:]
        /// Each client's position, over its connections.
        var positions: [Int: [RoomName: Position]] = [:]
        var history = ToldHistory()
        var receipts = ToldReceipts()
        /// The sessions that must receive a direct message: those of both users when it was first sent.
        var expected: [ToldHistory.Sent: [SessionID]] = [:]
        var seen = SimulationSeen()

        func report(_ violation: Violation?) {
            problem = problem ?? violation
        }
    }

    static let rooms: [RoomName] = ["alpha", "beta", "gamma", "delta"].map { .named($0) }
    static let steps = 1200

    let log = Log()
    /// All on one store.
    let hubs: [SimulatedHub]
    let store: InMemoryMessageStore
    let bus: SimulatedBus?
    let limits: Limits
    private let clock = SimulatedClock()
    var random: SeededRandom
    var clients: [Client] = []
    var lastID = 0
    /// Whether the store drops rooms, which return with another epoch.
    let losesRooms: Bool
    /// Whether the hub is sometimes killed.
    private let crashes: Bool
    /// Whether hubs sometimes stand still.
    private let pauses: Bool

    var seen: SimulationSeen { log.seen }

    /// Differs if two runs have differed anywhere.
    var fingerprint: [UInt64] {
        var random = random
        return [random.next(), clock.now.nanoseconds]
    }

    /// - Parameters:
    ///   - seed: chooses the limits, the kinds of faults and all that is random.
    ///   - hubCount: the number of hubs on the store.
    ///   - hasBus: whether there is a bus between them, besides the store.
    ///   - planted: the bug that the run must report, if any.
    init(seed: UInt64, hubCount: Int = 1, hasBus: Bool = false, planted: PlantedBug? = nil) {
        random = SeededRandom(seed: seed)
        losesRooms = seed % 5 == 4
        crashes = seed / 2 % 2 == 1
        pauses = seed / 4 % 2 == 1
        var limits = Self.makeLimits(seed)
        // A device that moves counts twice until its older session has ended.
        if hasBus { limits.sessionsPerUserMax = 6 }
        self.limits = limits
        let context = SessionContext(limits: limits, limiter: RateLimiter(.unlimited))
        let capacity = InMemoryMessageStore.Capacity(roomsMax: losesRooms ? 4 : 1000, messagesPerRoomMax: 100_000)
        let log = log
        let store = InMemoryMessageStore(capacity: capacity, seed: 1) { [clock] in clock.now }
        self.store = store
        let moderation = SimulatedModeration()
        let directNews = SimulatedDirectNews()
        let planted = Planted(planted)
        let cluster = Self.makeClusterLimits(seed)
        let bus = hasBus ? SimulatedBus(seed: seed, clock: clock, limits: cluster) { log.seen.note($0) } : nil
        self.bus = bus
        hubs = (0..<hubCount).map { [clock, losesRooms] index in
            SimulatedHub(
                index: index, moderation: moderation, planted: planted, context: context,
                cluster: cluster, store: store, directNews: directNews, bus: bus, clock: clock,
                hasFaults: seed % 2 == 1, hasLateBatches: !losesRooms, hasSlowConsumers: seed % 3 == 0,
                observer: SimulatedHub.Observer(
                    violated: { log.report($0) }, told: { Self.note($0, $1, log) }, acted: { log.seen.note($0) },
                    moderated: { log.seen.note($0) }, noted: { log.seen.note($0) }))
        }
        if hubCount > 1 { tellPeers() }
        for hub in hubs { bus?.connect(hub, as: hub.incarnation) }
        for user in ["alice", "bob", "carol", "dave"] {
            for device in [DeviceID.phone, .laptop] { clients.append(Client(user: .named(user), device: device)) }
        }
    }

    private static func makeLimits(_ seed: UInt64) -> Limits {
        var limits = Limits()
        limits.commandsInFlightMax = 4
        limits.queueBytesMax = seed % 3 == 0 ? 3000 : 100_000
        limits.queueWatermarkBytes = 1500
        limits.tailMessagesMax = 4
        limits.pageMessagesMax = 8
        limits.sessionsPerUserMax = 2
        limits.roomsPerSessionMax = 3
        limits.membersPerRoomMax = 6
        limits.storeRequestsInFlightMax = 20
        limits.presenceNamesMax = 2
        return limits
    }

    /// Sometimes so small that entries don't fit, and that members are too far behind.
    private static func makeClusterLimits(_ seed: UInt64) -> ClusterLimits {
        var limits = ClusterLimits()
        if seed % 7 == 3 {
            limits.holdEntriesMax = 2
            limits.lagEntriesMax = 12
        }
        return limits
    }

    private static func note(_ session: SessionID, _ event: Event?, _ log: Log) {
        guard let event else {
            log.views[session]?.ended()
            return
        }
        log.seen.note(event)
        log.report(log.views[session]?.received(event, &log.history)?.prefixed("\(session)"))
        guard let view = log.views[session] else { return }
        log.report(log.receipts.note(event, to: view.user)?.prefixed("\(session)"))
        switch event {
        case .joined(let joined): log.positions[view.client, default: [:]][joined.room] = view.position(in: joined.room)
        case .message(let room, _):
            log.positions[view.client, default: [:]][room] = view.position(in: room)
        case .receipt(let room, let receipts):
            if let epoch = view.position(in: room)?.epoch { log.receipts.add(receipts, room, epoch) }
        default: break
        }
    }

    /// - Returns: the first broken promise, or `nil` if there is none.
    mutating func run() -> Violation? {
        for step in 0..<Self.steps {
            if random.once(in: 3) { act() }
            if random.once(in: 12) { advance(by: Milliseconds(.random(in: 0...400, using: &random))) }
            if crashes, random.once(in: 400) { crash() }
            if pauses { pauseAndResume() }
            if let bus {
                bus.disturb()
                if random.once(in: 2) { _ = bus.step() }
            }
            if let hub = random.pick(hubs) {
                if hub.step(&random) { log.seen.steps += 1 } else { act() }
                hub.checkInvariants()
            }
            if let problem = log.problem { return problem.prefixed("step \(step)") }
        }
        // With a bus, a transaction that hangs is found by those who look for it, less and less often.
        let hasLateBatches = bus != nil && hubs.contains { $0.storeLink.hasLateBatches }
        endFaults()
        settle()
        // What was lost without a trace is found with the next comparison, and so is a room that the store has dropped.
        let isPrompt = bus.map { !$0.losesMessages && !losesRooms && !hasLateBatches } ?? true
        let late = hubs.count > 1 && isPrompt ? findMemberBehind() : nil
        rest()
        if let behind = findMemberBehind() { log.report(Violation(.completeness, behind)) }
        if let late { log.report(Violation(.lateness, late)) }
        sendAgain()
        settle()
        rest()
        checkRest()
        if let problem = log.problem { return problem.prefixed("at rest") }
        for hub in hubs { hub.startDrain() }
        settle()
        for hub in hubs where hub.drainedShards != SimulatedHub.shardCount || !hub.openSessions.isEmpty {
            let left = hub.shards.map { "\($0.state.sessionCount) in \($0.state.drain)" }
            log.report(
                Violation(.completeness, "after the drain \(hub.openSessions.count) sessions are left: \(left)"))
        }
        return log.problem
    }

    private mutating func endFaults() {
        for hub in hubs {
            hub.hasFaults = false
            hub.hasSlowConsumers = false
            hub.hasStalls = false
            if hub.isPaused { hub.resume() }
        }
        bus?.endFaults()
    }

    /// Delivers everything for a few seconds, within which members receive what other hubs have stored.
    private mutating func settle() {
        for _ in 0..<16 {
            stepAll()
            advance(by: 250)
        }
        stepAll()
    }

    /// Waits for longer than a hub looks for messages with an unknown outcome; after losses without a trace, for longer
    /// than a set of users counts without being confirmed.
    private mutating func rest() {
        for _ in 0..<(bus?.losesMessages == true ? 60 : 34) {
            advance(by: 2000)
            stepAll()
        }
    }

    private mutating func stepAll() {
        var steps = 0
        var isAtRest = false
        while !isAtRest {
            isAtRest = true
            for hub in hubs where log.problem == nil {
                while hub.step(&random) {
                    steps += 1
                    // Far more than what all clients can have under way.
                    guard steps < 300_000 else {
                        return log.report(Violation(.completeness, "hub \(hub.index) never comes to rest"))
                    }
                }
                hub.checkInvariants()
            }
            while log.problem == nil, bus?.step() == true { isAtRest = false }
        }
    }

    private func advance(by time: Milliseconds) {
        clock.advance(by: time)
        for hub in hubs { hub.timersFired() }
    }

    // MARK: Hubs

    private func tellPeers() {
        let names = hubs.map { NodeName.named("node-\($0.index)") }
        for hub in hubs {
            let peers = names.filter { $0 != names[hub.index] }
            let answering = bus == nil ? [] : Set(hubs.map(\.incarnation)).subtracting([hub.incarnation])
            hub.clusterChanged(
                ClusterView(
                    peers: peers, answering: answering, hasBus: bus != nil, directNews: DirectNews.Cursor("0")))
        }
    }

    private mutating func crash() {
        guard let hub = random.pick(hubs) else { return }
        let lastLife = hub.incarnation
        hub.crash(&random)
        log.receipts.hubCrashed()
        log.seen.note("crash")
        for other in hubs where other.index != hub.index && (!other.isPaused || bus != nil) {
            other.peerDied(lastLife, hub.incarnation)
        }
    }

    /// Some hubs stand still at a time, but not all of several.
    private mutating func pauseAndResume() {
        for hub in hubs where hub.isPaused && random.once(in: 40) { hub.resume() }
        let running = hubs.filter { !$0.isPaused }
        guard random.once(in: 250), running.count > (hubs.count > 1 ? 1 : 0), let hub = random.pick(running) else {
            return
        }
        hub.pause()
        log.seen.note("pause")
    }
}
