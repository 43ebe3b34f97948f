internal import Synchronization

/// A bus between nodes in one process: for an embedder with several hubs on one store, and for tests that run whole
/// nodes. It loses nothing, and keeps the order of each sender.
package final class InMemoryBus: Sendable {
    private struct State {
        var network: BusNetwork
        var listeners: [NodeIncarnation: @Sendable (BusEvent) -> Void] = [:]
        /// Whether some thread delivers, so that no other does: events come one at a time.
        var isDelivering = false
        var generator = Sequence(word: 0)
    }

    /// Chooses between senders, all of whom are equally right: the same in every run (a Weyl sequence).
    private struct Sequence: RandomNumberGenerator {
        var word: UInt64

        mutating func next() -> UInt64 {
            word &+= 0x9E37_79B9_7F4A_7C15
            return word
        }
    }

    private let state: Mutex<State>

    package init(limits: ClusterLimits = ClusterLimits()) {
        state = Mutex(State(network: BusNetwork(limits: limits)))
    }

    /// The bus as one node has it.
    package func link(of node: NodeIncarnation) -> some ClusterBus { InMemoryBusLink(bus: self, node: node) }

    /// Ends a node's link, as a bus does that restarts. It comes back with `reconnect`.
    package func reset(_ node: NodeIncarnation) { perform { $0.reset(node) } }

    package func reconnect(_ node: NodeIncarnation) { perform { $0.connect(node) } }

    fileprivate func start(_ node: NodeIncarnation, _ listener: @escaping @Sendable (BusEvent) -> Void) {
        state.withLock { $0.listeners[node] = listener }
        perform { $0.connect(node) }
    }

    fileprivate func stop(_ node: NodeIncarnation) {
        state.withLock { state in
            state.listeners[node] = nil
            state.network.remove(node)
        }
    }

    fileprivate func publish(_ frame: ClusterFrame, number: UInt64) {
        state.withLock { state in
            state.network.publish(frame, number: number, now: Self.start, using: &state.generator)
        }
        deliver()
    }

    fileprivate func perform(_ body: (inout BusNetwork) -> Void) {
        state.withLock { body(&$0.network) }
        deliver()
    }

    /// Nothing is delayed, so all happens at one time.
    private static let start = MonotonicTime(nanoseconds: 0)

    /// Calls listeners without the lock, until nothing is under way. A listener that publishes adds to it.
    private func deliver() {
        let isFirst = state.withLock { state in
            defer { state.isDelivering = true }
            return !state.isDelivering
        }
        guard isFirst else { return }
        while let (listener, event) = nextEvent() { listener?(event) }
    }

    private func nextEvent() -> ((@Sendable (BusEvent) -> Void)?, BusEvent)? {
        state.withLock { state in
            guard let (node, event) = state.network.next(now: Self.start, using: &state.generator) else {
                state.isDelivering = false
                return nil
            }
            return (state.listeners[node], event)
        }
    }
}

/// One node's side of an `InMemoryBus`.
private struct InMemoryBusLink: ClusterBus {
    let bus: InMemoryBus
    let node: NodeIncarnation

    func start(_ listener: @escaping @Sendable (BusEvent) -> Void) { bus.start(node, listener) }

    func stop() { bus.stop(node) }

    func reset() {
        bus.reset(node)
        bus.reconnect(node)
    }

    func subscribe(_ topics: [ClusterTopic]) { bus.perform { $0.subscribe(node, to: topics) } }

    func unsubscribe(_ topics: [ClusterTopic]) { bus.perform { $0.unsubscribe(node, from: topics) } }

    func publish(_ message: ClusterMessage, to topic: ClusterTopic, number: UInt64, at time: HybridTime) {
        bus.publish(ClusterFrame(from: node, time: time, topic: topic, message), number: number)
    }
}
