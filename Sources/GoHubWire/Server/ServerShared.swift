internal import GoHubCore
internal import GoHubSystem
internal import Logging
internal import Synchronization

/// The shared part of a server's loops. Immutable, or atomic, or behind a rarely taken lock.
final class ServerShared: Sendable {
    let configuration: ServerConfiguration
    let settings: ConnectionSettings
    let context: SessionContext
    let store: any MessageStore
    /// The same store, if it never waits.
    let immediateStore: (any ImmediateMessageStore)?
    let verifier: (any TokenVerifier)?
    let logger: Logger
    /// For connections that were accepted but can't be served.
    let logThrottle = LogThrottle()
    let addresses: AddressTable
    let slots: HTTPSlots
    let mailboxes: [Mailbox<LoopMessage>]
    /// `nil` for a hub without a bus.
    let bus: BusRouter?

    private let drainedLoops = Mutex<Set<Int>>([])
    private let allDrained: Latch

    init(
        _ configuration: ServerConfiguration, context: SessionContext, store: any MessageStore,
        verifier: (any TokenVerifier)?, bus: ServerBus? = nil, logger: Logger
    ) throws(SystemError) {
        self.configuration = configuration
        settings = ConnectionSettings(
            configuration.connections, limits: context.limits, requiresToken: context.authentication == .token)
        self.context = context
        self.store = store
        immediateStore = store as? any ImmediateMessageStore
        self.verifier = verifier
        self.logger = logger
        addresses = AddressTable(
            totalMax: configuration.connectionsMax, perAddressMax: configuration.connectionsPerAddressMax)
        slots = HTTPSlots(
            max: configuration.httpSlotsMax, perAddressMax: configuration.httpSlotsPerAddressMax,
            freshMax: configuration.httpFreshMax, waitingMax: configuration.httpWaitingMax)
        var mailboxes: [Mailbox<LoopMessage>] = []
        for _ in 0..<max(1, configuration.loops) { mailboxes.append(try Mailbox()) }
        self.mailboxes = mailboxes
        self.bus = bus.map {
            BusRouter($0, node: context.incarnation, mailboxes: mailboxes, limits: ClusterLimits())
        }
        allDrained = Latch(count: mailboxes.count)
    }

    func shard(for input: HubInput) -> Int {
        mailboxes.count > 1 ? shard(of: input.owner) : 0
    }

    /// The index of the loop whose shard owns a room or a user.
    ///
    /// Swift's hashing is seeded per process, so nobody can choose names that all map to one loop.
    func shard(of owner: HubInput.Owner) -> Int {
        Self.shard(of: owner, count: mailboxes.count)
    }

    static func shard(of owner: HubInput.Owner, count: Int) -> Int {
        guard count > 1 else { return 0 }
        return Int(UInt(bitPattern: owner.hashValue) % UInt(count))
    }

    // MARK: Drain

    /// A loop has nobody left. It may say so twice.
    func drained(_ loop: Int) {
        if drainedLoops.withLock({ $0.insert(loop).inserted }) { allDrained.countDown() }
    }

    func waitUntilDrained() async {
        await allDrained.wait()
    }
}
