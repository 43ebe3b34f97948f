internal import GoHubCore
internal import GoHubStore
internal import GoHubWire
internal import Logging
internal import ServiceLifecycle

/// Keeps this hub's name in the cluster from before its first client until after its last one.
struct MembershipService: Service {
    private enum Input {
        case ticked
        case renewed(Result<NodeRenewal.Answer, StoreError>)
        case bus(BusEvent)
    }

    private static let tick = Duration.seconds(1)
    /// The time limit for the goodbye. Without one, the name is free when the lease ends.
    private static let leaveTimeout = Duration.seconds(2)

    private let own: NodeID
    private let version: String
    private let registry: PostgresMessageStore
    private let bus: NodeBus?
    private let isAccepting: @Sendable () -> Bool
    private let statistics: @Sendable () async -> ServerStatistics
    private let update: @Sendable (ClusterView) -> Void
    private let logger: Logger
    private let joined: AsyncStream<Void>
    private let joining: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - version: the hub's version, for operators.
    ///   - isAccepting: whether the hub accepts clients. After it has, false means that it drains.
    ///   - statistics: the hub's load, which this node tells the others.
    ///   - update: tells the hub about the other nodes; also before it starts.
    init(
        _ own: NodeID, version: String, registry: PostgresMessageStore, bus: NodeBus?, logger: Logger,
        isAccepting: @escaping @Sendable () -> Bool,
        statistics: @escaping @Sendable () async -> ServerStatistics,
        update: @escaping @Sendable (ClusterView) -> Void
    ) {
        self.own = own
        self.version = version
        self.registry = registry
        self.bus = bus
        self.logger = logger
        self.isAccepting = isAccepting
        self.statistics = statistics
        self.update = update
        (joined, joining) = AsyncStream.makeStream(of: Void.self)
    }

    /// Waits until the name is granted.
    ///
    /// - Returns: whether it is; false when it is refused or the task is cancelled.
    func waitUntilJoined() async -> Bool {
        for await _ in joined { return true }
        return false
    }

    /// - Throws: `StartError` when another hub has the name.
    func run() async throws {
        defer { joining.finish() }
        let failure = await cancelWhenGracefulShutdown { await follow() }
        if let failure { throw StartError(failure) }
        await HubService.within(Self.leaveTimeout) { [own, registry] in
            await withCheckedContinuation { continuation in
                registry.leave(own) { _ in continuation.resume() }
            }
        }
    }

    /// - Returns: the reason why the process must end; `nil` when it is stopped.
    private func follow() async -> String? {
        var membership = Membership(own: own, hasBus: bus != nil)
        var hasAccepted = false
        // One answer at a time, a tick a second, and a beat a second of each node, of which there are 256 at most: none
        // is dropped, unless this task stands still for half a minute.
        let (inputs, feed) = AsyncStream.makeStream(of: Input.self, bufferingPolicy: .bufferingNewest(10_000))
        let ticking = Task {
            repeat { feed.yield(.ticked) } while (try? await Task.sleep(for: Self.tick)) != nil
        }
        defer { ticking.cancel() }
        bus?.events.listen { feed.yield(.bus($0)) }
        for await input in inputs {
            let accepts = isAccepting()
            hasAccepted = hasAccepted || accepts
            let actions: [Membership.Action] =
                switch input {
                case .ticked: membership.ticked(isDraining: hasAccepted && !accepts, now: .now())
                case .renewed(let result): membership.renewed(result, now: .now())
                case .bus(.restored): membership.linkChanged(isUp: true, busID: bus?.id, now: .now())
                case .bus(.lost): membership.linkChanged(isUp: false, busID: nil, now: .now())
                case .bus(.heard(let frame)): membership.received(frame, now: .now(), at: .now())
                case .bus(.subscribed), .bus(.published): []
                }
            switch input {
            case .ticked: bus?.recordMetrics()
            case .renewed(.success): bus?.compare(membership.busIDs)
            case .renewed(.failure), .bus: break
            }
            for action in actions {
                switch action {
                case .renew(let status):
                    registry.renew(NodeRenewal(own, status, version: version)) {
                        feed.yield(.renewed($0))
                    }
                case .update(let view): update(view)
                case .beat(let status): await beat(status)
                case .tellReturn: bus?.bus.publish(.returned, to: .all, number: 0, at: HybridTime(value: 0))
                case .joined: joining.yield()
                case .log(let event): log(event)
                case .end(let reason):
                    // The reason follows when everything has stopped, which takes a while after clients have come.
                    if hasAccepted { logger.error("\(reason) Stopping.") }
                    return reason
                }
            }
        }
        return nil
    }

    private func beat(_ status: NodeStatus) async {
        guard let bus else { return }
        let load = await statistics()
        let beat = NodeBeat(own.name, status, sessions: load.sessions, rooms: load.rooms, wall: .now())
        bus.bus.publish(.beat(beat), to: .all, number: 0, at: HybridTime(value: 0))
    }

    private func log(_ event: Membership.Event) {
        switch event {
        case .standing(.cutOff):
            logger.warning(
                """
                this node is cut off from the bus of the others: check its network, and that all nodes have the same \
                `cluster.redis`
                """)
        case .standing(.degraded):
            logger.warning(
                "the nodes don't all hear each other by the bus: what they store is read from the database, which is later"
            )
        case .standing(.connected): logger.notice("the nodes hear each other by the bus")
        case .standing(.alone): break
        case .clockDiffers(let node, let milliseconds):
            logger.warning(
                "the clocks of this node and another one differ: timestamps and the expiry of tokens do, too",
                metadata: ["node": "\(node)", "milliseconds": "\(milliseconds)"])
        case .joined(let node): logger.notice("joined the cluster", metadata: ["as": "\(node)"])
        case .waitsForName(let node):
            logger.warning(
                "another life has the node name; waiting for the end of its lease",
                metadata: ["by": "\(node)"])
        case .failed(let error):
            logger.error(
                "the lease in the cluster could not be renewed; retrying: \(error)",
                metadata: ["code": "\(error.code.rawValue)"])
        case .renewedLate:
            logger.warning("the lease in the cluster had ended: comparing all rooms with the store")
        case .appeared(let node): logger.notice("a node has appeared", metadata: ["node": "\(node)"])
        case .isGone(let node): logger.notice("a node is gone", metadata: ["node": "\(node)"])
        case .ignored(let node):
            logger.warning("a node is ignored: the cluster has too many", metadata: ["node": "\(node)"])
        }
    }
}
