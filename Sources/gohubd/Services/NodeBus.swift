internal import GoHubCore
internal import GoHubWire
internal import Synchronization

/// This node's bus, and the way of its events to the membership.
struct NodeBus: Sendable {
    let bus: any ClusterBus
    /// The server that the link leads to; `nil` if the bus has no identity.
    private let busID: @Sendable () -> String?
    /// Compares the server with those of other nodes.
    let compare: @Sendable ([String]) -> Void
    /// Called once a second.
    let recordMetrics: @Sendable () -> Void
    let events = Events()

    init(
        _ bus: any ClusterBus, busID: @escaping @Sendable () -> String?,
        compare: @escaping @Sendable ([String]) -> Void, recordMetrics: @escaping @Sendable () -> Void
    ) {
        self.bus = bus
        self.busID = busID
        self.compare = compare
        self.recordMetrics = recordMetrics
    }

    var id: String? { busID() }

    /// For the server, which routes what concerns the node as a whole to the membership.
    var server: ServerBus { ServerBus(bus) { [events] in events.received($0) } }

    /// The events of the bus. The membership listens before the server starts the bus.
    final class Events: Sendable {
        private let listener = Mutex<(@Sendable (BusEvent) -> Void)?>(nil)

        func listen(_ body: @escaping @Sendable (BusEvent) -> Void) { listener.withLock { $0 = body } }

        fileprivate func received(_ event: BusEvent) { listener.withLock { $0 }?(event) }
    }
}
