import GoHubTestSupport
import Synchronization

@testable import GoHubCore

/// The time of a simulation, for its hub and its store.
final class SimulatedClock: Sendable {
    private let milliseconds = Atomic<UInt64>(0)

    var now: MonotonicTime { .ms(milliseconds.load(ordering: .relaxed)) }

    func advance(by time: Milliseconds) {
        milliseconds.add(time.value, ordering: .relaxed)
    }
}

/// A hub of several shards and edges with its clients' connections, in one thread and with a simulated clock.
/// Everything that takes time in production waits here until a seeded random number selects it.
///
/// - Letters between two nodes keep their order. Letters of different pairs overtake each other freely.
/// - The store (`SimulatedStoreLink`) handles and answers requests in any order. Some fail before their effect, some
///   after it, and for a while all of them do.
/// - The hub is killed at any moment: some pending store requests take effect, and none is answered.
/// - The hub stands still for a while: only the store goes on. Its timers are late then, and its clients' bytes wait.
/// - A connection's bytes wait in the hub's bounded queue until the client reads them.
final class SimulatedHub {
    enum Letter {
        case input(HubInput)
        case action(HubAction)
    }

    enum Step {
        case command(SessionID)
        case event(SessionID)
        case letter(link: Int)
        case storeRequest(Int, SimulatedStoreLink.Fault?)
        case storeAnswer(Int)
        case lateBatch
    }

    /// What stalls while all else goes on. Most races need one step to be very late.
    struct Stalls {
        var link: Int?
        var work: SimulatedStoreLink.Work?
        var answers: SimulatedStoreLink.Work?
        /// Whether all requests to the store fail.
        var isStoreAway = false
    }

    static let edgeCount = 2
    static let shardCount = 3
    static let nodeCount = edgeCount + shardCount

    /// The hub's place among those on the store.
    let index: Int
    /// What it knows of the others; `nil` without a cluster.
    private(set) var view: ClusterView?
    let moderation: SimulatedModeration
    let planted: Planted
    let context: SessionContext
    let cluster: ClusterLimits
    let store: InMemoryMessageStore
    private let directNews: SimulatedDirectNews
    /// `nil` if there is nothing but the store between the hubs.
    let bus: SimulatedBus?
    /// Another one after each crash.
    private(set) var incarnation: NodeIncarnation
    /// The epoch of a room that the store has never dropped.
    let firstEpoch: Epoch
    var storeLink: SimulatedStoreLink
    /// Whether the store fails now and then.
    var hasFaults: Bool
    /// Whether a batch may take effect long after its failure. A store that drops rooms is one in memory, which never
    /// does.
    private let hasLateBatches: Bool
    /// Whether every third connection reads slowly.
    var hasSlowConsumers: Bool
    var hasStalls = true
    private var stalls = Stalls()
    private(set) var isPaused = false
    /// Whether the hub's link has come back, which it tells the others with the next tick.
    var hasReturned = false
    /// The last and the new life of each hub that was killed while this one stood still.
    private var deaths: [(NodeIncarnation, NodeIncarnation)] = []
    let clock: SimulatedClock
    var now: MonotonicTime { clock.now }
    var shards: [Shard]
    var drainedShards = 0
    private(set) var isDraining = false
    var connections: [SessionID: Connection] = [:]
    /// In order of opening, so that a random choice is the same in every run.
    var openSessions: [SessionID] = []
    /// Those whose clients have gone while the hub stood still.
    var goneSessions: [SessionID] = []
    var keys: [SessionID: SessionKey] = [:]
    /// Those with another session of their key. One is replaced whose `hello` has reached the shard before the other's,
    /// even if the other one has ended by then.
    var rivals: Set<SessionID> = []
    var members: [[RoomID: Set<SessionID>]]
    /// A link leads from a node to a node: edges first, then shards.
    var mailboxes: [[Letter]]
    var timers: [MonotonicTime?]
    var lastSerial: UInt64 = 0
    /// Joins that were requested after a ban was confirmed, on whatever hub, with the pardons until then.
    var bannedJoins: [CommandID: Int] = [:]
    /// The checks due after this step.
    var changedShards: Set<Int> = []
    var areSessionsChanged = false
    let observer: Observer

    /// What a simulation wants to know of its hub.
    struct Observer {
        var violated: (Violation) -> Void
        /// An event for a client, or `nil` for the end, after which nothing comes.
        var told: (SessionID, Event?) -> Void
        var acted: (SessionAction) -> Void
        var moderated: (Sanction.Record) -> Void
        /// The name of an interesting step.
        var noted: (String) -> Void
    }

    init(
        index: Int, moderation: SimulatedModeration, planted: Planted, context: SessionContext,
        cluster: ClusterLimits, store: InMemoryMessageStore, directNews: SimulatedDirectNews, bus: SimulatedBus?,
        clock: SimulatedClock, hasFaults: Bool, hasLateBatches: Bool, hasSlowConsumers: Bool, observer: Observer
    ) {
        self.index = index
        self.moderation = moderation
        self.planted = planted
        lastSerial = UInt64(index) * 1_000_000
        self.clock = clock
        self.context = context
        self.cluster = cluster
        self.store = store
        self.directNews = directNews
        self.bus = bus
        incarnation = Self.incarnation(of: index, life: 0)
        firstEpoch =
            store.readHistory(.sanctions(of: RoomID(tenant: .standard, name: .named("first")), max: 0)).head.epoch
        self.hasFaults = hasFaults
        self.hasLateBatches = hasLateBatches
        self.hasSlowConsumers = hasSlowConsumers
        self.observer = observer
        storeLink = SimulatedStoreLink(
            store, directNews, hub: index, moderation, planted, report: observer.violated, noted: observer.noted)
        shards = Self.makeShards(context.limits, cluster, bus == nil ? nil : incarnation)
        timers = Array(repeating: nil, count: Self.shardCount)
        members = Array(repeating: [:], count: Self.edgeCount)
        mailboxes = Array(repeating: [], count: Self.nodeCount * Self.nodeCount)
    }

    private static func incarnation(of index: Int, life: UInt64) -> NodeIncarnation {
        .number(UInt64(index + 1) + life * 1000)
    }

    private static func makeShards(_ limits: Limits, _ cluster: ClusterLimits, _ node: NodeIncarnation?) -> [Shard] {
        (0..<shardCount).map { _ in Shard(limits: limits, cluster: cluster, node: node) }
    }

    var wall: WallTime { .ms(Int64(clamping: now.nanoseconds / 1_000_000)) }

    func report(_ invariant: Invariant, _ text: String) {
        observer.violated(Violation(invariant, text))
    }

    // MARK: Steps

    /// Performs one possible step.
    ///
    /// - Returns: false if nothing waits except timers.
    func step(_ random: inout SeededRandom) -> Bool {
        if random.once(in: 40) { stall(&random) }
        let stalls = hasStalls ? self.stalls : Stalls()
        var choices: [Step] = []
        if !isPaused { addOwnSteps(&choices, stalls, &random) }
        let fault = makeFault(&random)
        if let place = random.pick(storeLink.requestPlaces(except: stalls.work)) {
            choices.append(.storeRequest(place, fault))
        }
        if storeLink.hasLateBatches, !hasStalls || random.once(in: 10) { choices.append(.lateBatch) }
        guard let choice = random.pick(choices) else { return false }
        perform(choice)
        return true
    }

    /// Steps of the hub itself, which has none while it stands still.
    private func addOwnSteps(_ choices: inout [Step], _ stalls: Stalls, _ random: inout SeededRandom) {
        if let id = random.pick(openSessions.filter { canBeRead($0) }) { choices.append(.command(id)) }
        let takesLittle = hasSlowConsumers && !random.once(in: 30)
        let takers = openSessions.filter {
            !(takesLittle && $0.serial % 3 == 0) && connections[$0]?.queue.isEmpty == false
        }
        if let id = random.pick(takers) { choices.append(.event(id)) }
        if let link = random.pick(mailboxes.indices.filter({ !mailboxes[$0].isEmpty && $0 != stalls.link })) {
            // Most waiting steps are letters.
            for _ in 0..<3 { choices.append(.letter(link: link)) }
        }
        if let place = random.pick(storeLink.answerPlaces(except: stalls.answers, now: now)) {
            choices.append(.storeAnswer(place))
        }
    }

    private func stall(_ random: inout SeededRandom) {
        stalls.link = Int.random(in: mailboxes.indices, using: &random)
        stalls.work = random.once(in: 4) ? random.pick(SimulatedStoreLink.Work.allCases) : nil
        stalls.answers = random.once(in: 2) ? random.pick(SimulatedStoreLink.Work.allCases) : nil
        stalls.isStoreAway = random.once(in: 6)
    }

    private func makeFault(_ random: inout SeededRandom) -> SimulatedStoreLink.Fault? {
        let isFault = hasFaults && (random.once(in: 15) || stalls.isStoreAway)
        let kind = Int.random(in: 0..<5, using: &random)
        guard isFault else { return nil }
        switch kind {
        case 0: return .after
        case 1, 2: return hasLateBatches ? .late : .after
        default: return .before(isCertain: kind == 3)
        }
    }

    private func perform(_ step: Step) {
        switch step {
        case .command(let id): readCommand(id)
        case .event(let id): takeEvent(id)
        case .letter(let link): readLetter(link)
        case .storeRequest(let place, let fault): storeLink.perform(place, fault, now: now)
        case .storeAnswer(let place): readStoreAnswer(place)
        case .lateBatch: storeLink.performLateBatch()
        }
    }

    /// Performs what is due at the simulation's time. A hub that stands still does it afterwards.
    func timersFired() {
        guard !isPaused else { return }
        if hasReturned {
            hasReturned = false
            bus?.perform(.publish(.returned, to: .all, number: 0, at: HybridTime(value: 0)), of: incarnation)
        }
        for shard in shards.indices {
            guard let due = timers[shard], due <= now else { continue }
            timers[shard] = nil
            shards[shard].timerFired(now: now)
            drive(shard)
        }
    }

    // MARK: Faults of the whole hub

    /// The hub stands still until `resume`.
    func pause() {
        isPaused = true
    }

    func resume() {
        isPaused = false
        for id in goneSessions {
            with(id) { $0.transportClosed(into: &$1) }
            forget(id)
        }
        goneSessions = []
        for (lastLife, life) in deaths { peerDied(lastLife, life) }
        deaths = []
        timersFired()
    }

    /// Kills the hub and starts another one on the same store. Bytes written to clients may still arrive, and some
    /// pending store requests take effect.
    func crash(_ random: inout SeededRandom) {
        isPaused = false
        storeLink.crash(&random)
        for id in openSessions where !goneSessions.contains(id) {
            while !random.once(in: 3), let event = connections[id]?.queue.take() { tell(event.event, to: id) }
            observer.told(id, nil)
        }
        for id in openSessions { forget(id) }
        goneSessions = []
        let lastLife = incarnation
        incarnation = Self.incarnation(of: index, life: lastLife.value / 1000 + 1)
        shards = Self.makeShards(context.limits, cluster, bus == nil ? nil : incarnation)
        timers = Array(repeating: nil, count: Self.shardCount)
        members = Array(repeating: [:], count: Self.edgeCount)
        mailboxes = mailboxes.map { _ in [] }
        changedShards = []
        if var view {
            (view.comparisons, view.directNews) = (0, directNews.end)
            clusterChanged(view)
        }
        for (lastLife, life) in deaths { peerDied(lastLife, life) }
        deaths = []
        bus?.remove(lastLife)
        bus?.connect(self, as: incarnation)
    }

    /// Another hub was killed, and runs again.
    func peerDied(_ lastLife: NodeIncarnation, _ life: NodeIncarnation) {
        guard !isPaused else { return deaths.append((lastLife, life)) }
        guard var view else { return }
        if planted.strikes(.closedWithOtherHub),
            let id = openSessions.first(where: { connections[$0]?.machine.isActive == true })
        {
            with(id) { $0.receivedFromHub(.close(.serviceRestart), now: now, at: wall, into: &$1) }
        }
        view.comparisons += 1
        if view.answering.remove(lastLife) != nil { view.answering.insert(life) }
        clusterChanged(view)
    }

    /// Another hub's link was away.
    func peerReturned() {
        guard var view else { return }
        view.comparisons += 1
        clusterChanged(view)
    }

    /// Tells the hub of the others. Their number is a peer's, so that the hub compares its rooms with the store.
    func clusterChanged(_ view: ClusterView) {
        self.view = view
        var view = view
        for shard in shards.indices {
            add(.clusterChanged(view), to: shard)
            // One shard reads the list for all.
            view.directNews = nil
        }
    }

    func startDrain() {
        isDraining = true
        for shard in shards.indices { add(.drainStarted(DrainPlan(closeOver: 500, reconnectOver: 1000)), to: shard) }
    }

    func add(_ input: HubInput, to shard: Int) {
        shards[shard].add(input)
        drive(shard)
    }
}
