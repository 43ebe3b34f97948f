import GoHubTestSupport

@testable import GoHubCore

/// The bus of a simulation's hubs, with the faults of a real one (`BusNetwork`): links end and come back, messages come
/// late, twice and in another order of senders, and an answer is lost with the link. In some runs messages are lost
/// without a trace, which only the comparison with the store heals.
final class SimulatedBus {
    private var network: BusNetwork
    private let clock: SimulatedClock
    private let noted: (String) -> Void
    private var random: SeededRandom
    /// Whether messages are lost without a trace.
    let losesMessages: Bool
    private var hubs: [NodeIncarnation: SimulatedHub] = [:]
    private var lost: [NodeIncarnation] = []
    /// Whether no link ends any more.
    private var isCalm = false
    /// All sessions of a key that were ever opened, on all hubs.
    private var opened: [SessionKey: [SessionID]] = [:]
    private var keys: [SessionID: SessionKey] = [:]

    init(seed: UInt64, clock: SimulatedClock, limits: ClusterLimits, noted: @escaping (String) -> Void) {
        network = BusNetwork(limits: limits)
        random = SeededRandom(seed: seed &+ 77)
        self.clock = clock
        self.noted = noted
        losesMessages = seed % 4 == 2
        network.faults.repeatOnceIn = seed % 2 == 1 ? 20 : 0
        network.faults.reorderOnceIn = seed % 3 == 1 ? 15 : 0
        network.faults.loseReplyOnceIn = seed % 5 == 1 ? 60 : 0
        network.faults.dropOnceIn = losesMessages ? 10 : 0
        network.faults.delayMax = seed % 6 == 5 ? 300 : 0
    }

    func connect(_ hub: SimulatedHub, as node: NodeIncarnation) {
        hubs[node] = hub
        network.connect(node)
    }

    func remove(_ node: NodeIncarnation) {
        hubs[node] = nil
        lost.removeAll { $0 == node }
        network.remove(node)
    }

    func perform(_ request: BusRequest, of node: NodeIncarnation) {
        switch request {
        case .publish(let message, let topic, let number, let time):
            let frame = ClusterFrame(from: node, time: time, topic: topic, message)
            network.publish(frame, number: number, now: clock.now, using: &random)
        case .subscribe(let topics):
            // In the order of a dictionary, which differs from run to run.
            network.subscribe(node, to: topics.sorted { "\($0)" < "\($1)" })
        case .unsubscribe(let topics): network.unsubscribe(node, from: topics)
        }
    }

    /// - Returns: false if nothing is due.
    func step() -> Bool {
        let paused = Set(hubs.filter { $0.value.isPaused }.keys)
        guard let (node, event) = network.next(now: clock.now, excluding: paused, using: &random) else { return false }
        switch event {
        case .lost:
            lost.append(node)
            noted(SimulationSeen.busLost)
            if isCalm { reconnect() }
        case .heard: noted(SimulationSeen.busMessage)
        case .restored, .subscribed, .published: break
        }
        hubs[node]?.received(event)
        return true
    }

    /// Ends a link now and then, and brings lost ones back.
    func disturb() {
        if random.once(in: 200), let node = random.pick(hubs.keys.sorted()) { network.reset(node) }
        if random.once(in: 30) { reconnect() }
    }

    func noteOpened(_ session: SessionID, _ key: SessionKey) {
        opened[key, default: []].append(session)
        keys[session] = key
    }

    /// Whether there are other sessions of its key, on any hub.
    func hasRival(_ session: SessionID) -> Bool {
        keys[session].map { opened[$0, default: []].count > 1 } ?? false
    }

    func endFaults() {
        isCalm = true
        network.faults = BusNetwork.Faults()
        reconnect()
    }

    func reconnect() {
        for node in lost where hubs[node] != nil { network.connect(node) }
        lost = []
    }
}
