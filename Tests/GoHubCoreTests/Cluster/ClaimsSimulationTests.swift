import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Clients that move between three nodes, over a bus that does everything a bus may do, and calendars that are wrong.
///
/// - When all is quiet, each client has exactly one session, and it is the one of its newest connection (I7).
/// - A client's newest connection is never closed with a code that tells it not to come back. Messages that are later
///   than `claimSettledAfter` may break this, and nothing else.
struct ClaimsSimulationTests {
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func eachClientHasOneSessionInTheEnd(seed: UInt64) {
        var cluster = ClaimingCluster(seed: seed)
        for _ in 0..<4 {
            for _ in 0..<400 { cluster.step() }
            cluster.settle()
            cluster.check()
        }
        #expect(cluster.violations == [], "seed \(seed)")
    }
}

/// Three nodes' claims, their sessions and their clients, as values.
private struct ClaimingCluster {
    /// A connection as its node sees it.
    private struct Connection {
        var key: SessionKey
        /// Counted up for each client.
        var number: Int
        var heardAt: MonotonicTime
        var isWelcomed = false
        /// Closed by the hub, and not yet out of its rooms.
        var isClosing = false
        /// Waits for an older local session of its key.
        var isWaiting = false
    }

    private struct Node {
        var id: NodeIncarnation
        var claims: SessionClaims
        var connections: [SessionID: Connection] = [:]
        var lastSerial: UInt64 = 0
        var skew: Int64
        var published: [UInt64: (key: SessionKey, stamp: ClaimStamp)] = [:]
        var lastNumber: UInt64 = 0
        var timer: MonotonicTime?
    }

    private static let keys = (0..<4).map { SessionKey.of(.alice, .named("d\($0)")) }

    private let seed: UInt64
    private var random: SeededRandom
    private var network = BusNetwork(limits: ClusterLimits())
    private var nodes: [Node] = []
    private var milliseconds: UInt64 = 10_000
    /// The newest connection of each client.
    private var newest: [SessionKey: Int] = [:]
    /// Clients that were closed and come back.
    private var returning: Set<SessionKey> = []
    private(set) var violations: [String] = []
    private let isStrandingChecked: Bool
    private let topic = ClusterTopic.user(SessionKey.of(.alice).user)

    private var now: MonotonicTime { .ms(milliseconds) }

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        for id in [.a, .b, .c] as [NodeIncarnation] {
            let claims = SessionClaims(own: id, limits: ClusterLimits(), sessionsPerUserMax: 20)
            nodes.append(Node(id: id, claims: claims, skew: Int64(random.next() % 1_200_000) - 600_000))
            network.connect(id)
        }
        network.faults.dropOnceIn = seed % 3 == 0 ? 0 : 12
        network.faults.repeatOnceIn = 8
        network.faults.reorderOnceIn = 6
        network.faults.loseReplyOnceIn = 60
        network.faults.delayMax = [40, 900, 40, 3000][Int(seed % 4)]
        isStrandingChecked = network.faults.delayMax < ClusterLimits().claimSettledAfter
        network.faults.hidesReceivers = seed % 5 == 0
        for index in nodes.indices {
            var actions: [ClaimAction] = []
            let others = Set(nodes.map(\.id)).subtracting([nodes[index].id])
            nodes[index].claims.peersChanged(answering: others, silent: [], into: &actions)
        }
    }

    // MARK: Steps

    mutating func step() {
        switch random.next() % 24 {
        case 0: connect(client: Self.keys[Int(random.next() % 4)])
        case 1: speak(of: Self.keys[Int(random.next() % 4)])
        case 2...4: finishClosing()
        case 5...8: advance(by: 1 + random.next() % 300)
        case 9: if random.once(in: 8) { network.reset(nodes[Int(random.next() % 3)].id) }
        case 10: for node in nodes where random.once(in: 3) { network.connect(node.id) }
        case 11: if random.once(in: 6) { network.part(.a, from: random.once(in: 2) ? .b : .c) }
        case 12: network.joinAll()
        case 13: if let key = returning.sorted(by: { $0.device.value < $1.device.value }).first { connect(client: key) }
        default: hear()
        }
    }

    /// All faults end, living clients speak, and time goes on.
    mutating func settle() {
        let faults = network.faults
        network.faults = BusNetwork.Faults()
        network.faults.delayMax = 20
        network.joinAll()
        for round in 0..<160 {
            for node in nodes { network.connect(node.id) }
            if round == 40 || round == 100 {
                for index in nodes.indices { act(index) { $0.claimAgain(now: $2, into: &$1) } }
            }
            for key in Self.keys { speak(of: key) }
            for key in returning.sorted(by: { $0.device.value < $1.device.value }) { connect(client: key) }
            for _ in 0..<30 { hear() }
            for _ in 0..<8 { finishClosing() }
            advance(by: 100)
        }
        network.faults = faults
    }

    mutating func check() {
        for key in Self.keys {
            guard let number = newest[key] else { continue }
            let live = nodes.flatMap { node in
                node.connections.values.filter { $0.key == key && !$0.isClosing }.map { (node.id, $0) }
            }
            let numbers = live.map(\.1.number)
            if numbers != [number] { violations.append("\(key.device): \(numbers) are live, \(number) is the newest") }
            if live.contains(where: { !$0.1.isWelcomed }) { violations.append("\(key.device) waits") }
        }
        for node in nodes where node.claims.pendingCount > 0 {
            violations.append("\(node.claims.pendingCount) claims wait on \(node.id)")
        }
    }

    // MARK: Clients

    private mutating func connect(client key: SessionKey) {
        returning.remove(key)
        let number = (newest[key] ?? 0) + 1
        newest[key] = number
        // The older connection's end is noticed, or it stays half open.
        if random.once(in: 2) {
            for index in nodes.indices {
                let sessions = nodes[index].connections.filter { $0.value.key == key && !$0.value.isWaiting }
                for session in sessions.keys.sorted(by: { $0.serial < $1.serial }) { end(session, on: index) }
            }
        }
        let index = Int(random.next() % 3)
        nodes[index].lastSerial += 1
        let session = SessionID.number(nodes[index].lastSerial)
        var connection = Connection(key: key, number: number, heardAt: now)
        // A local session is replaced as ever: it is closed, and this one waits for it.
        for (older, other) in nodes[index].connections where other.key == key {
            connection.isWaiting = true
            if other.isWaiting { nodes[index].connections[older] = nil } else { close(older, .replaced, on: index) }
        }
        nodes[index].connections[session] = connection
        if !connection.isWaiting { request(session, on: index) }
    }

    private mutating func request(_ session: SessionID, on index: Int) {
        nodes[index].connections[session]?.isWaiting = false
        guard let key = nodes[index].connections[session]?.key else { return }
        let wall = WallTime.ms(Int64(milliseconds) + nodes[index].skew)
        act(index) { $0.requested(session, key, localSessions: 0, now: $2, at: wall, into: &$1) }
    }

    private mutating func speak(of key: SessionKey) {
        let (number, now) = (newest[key], now)
        for index in nodes.indices {
            let own = nodes[index].connections.filter { $0.value.key == key && $0.value.number == number }
            for session in own.keys { nodes[index].connections[session]?.heardAt = now }
        }
    }

    private mutating func close(_ session: SessionID, _ code: CloseCode, on index: Int) {
        guard let connection = nodes[index].connections[session], !connection.isClosing else { return }
        nodes[index].connections[session]?.isClosing = true
        guard connection.number == newest[connection.key] else { return }
        if code == .replaced, isStrandingChecked {
            violations.append("the newest connection of \(connection.key.device) is stranded")
        }
        returning.insert(connection.key)
    }

    private mutating func finishClosing() {
        let closing = nodes.indices.flatMap { index in
            nodes[index].connections.filter(\.value.isClosing).keys.sorted { $0.serial < $1.serial }.map { (index, $0) }
        }
        if let (index, session) = random.pick(closing) { end(session, on: index) }
    }

    private mutating func end(_ session: SessionID, on index: Int) {
        guard let connection = nodes[index].connections.removeValue(forKey: session) else { return }
        act(index) { claims, actions, _ in
            claims.ended(session, connection.key, otherSessions: 0, into: &actions)
        }
        let waiting = nodes[index].connections.filter { $0.value.key == connection.key && $0.value.isWaiting }
        if let next = waiting.keys.first { request(next, on: index) }
    }

    // MARK: The bus

    @discardableResult
    private mutating func hear() -> Bool {
        guard let (id, event) = network.next(now: now, using: &random),
            let index = nodes.firstIndex(where: { $0.id == id })
        else { return false }
        switch event {
        case .restored: network.subscribe(id, to: [topic, .node(id)])
        case .lost: act(index) { claims, actions, _ in claims.linkLost(into: &actions) }
        case .subscribed: act(index) { $0.linkRestored(now: $2, into: &$1) }
        case .published(let number, let receivers):
            guard let claim = nodes[index].published.removeValue(forKey: number) else { break }
            act(index) { $0.told(claim.key, claim.stamp, receivers: receivers, now: $2, into: &$1) }
        case .heard(let frame):
            nodes[index].claims.heard(frame.time)
            let wall = WallTime.ms(Int64(milliseconds) + nodes[index].skew)
            switch frame.message {
            case .claim(let claim):
                act(index) { $0.claimed(claim, from: frame.from, otherSessions: 0, now: $2, into: &$1) }
            case .claimAnswered(let answer):
                act(index) { $0.answered(answer, from: frame.from, now: $2, at: wall, into: &$1) }
            default: break
            }
        }
        return true
    }

    private mutating func advance(by time: UInt64) {
        // Nothing is later than the bus's delay.
        if isStrandingChecked { while hear() {} }
        milliseconds += time
        for index in nodes.indices {
            guard let due = nodes[index].timer, due <= now else { continue }
            nodes[index].timer = nil
            act(index) { $0.timerFired(now: $2, into: &$1) }
        }
    }

    private mutating func act(
        _ index: Int, _ body: (inout SessionClaims, inout [ClaimAction], MonotonicTime) -> Void
    ) {
        var actions: [ClaimAction] = []
        body(&nodes[index].claims, &actions, now)
        for action in actions { perform(action, on: index) }
    }

    private mutating func perform(_ action: ClaimAction, on index: Int) {
        switch action {
        case .tell(let claim):
            let number = publish(.claim(claim), to: topic, from: index)
            nodes[index].published[number] = (claim.key, claim.stamp)
        case .answer(let node, let answer): _ = publish(.claimAnswered(answer), to: .node(node), from: index)
        case .welcome(let session, _): nodes[index].connections[session]?.isWelcomed = true
        case .close(let session, let code): close(session, code, on: index)
        case .measureIdle(let session, let purpose):
            guard let connection = nodes[index].connections[session] else { return }
            let idle = now.since(connection.heardAt)
            act(index) { claims, actions, _ in claims.idleMeasured(session, idle, purpose, into: &actions) }
        case .scheduleTimer(let due): nodes[index].timer = min(due, nodes[index].timer ?? due)
        }
    }

    private mutating func publish(_ message: ClusterMessage, to topic: ClusterTopic, from index: Int) -> UInt64 {
        nodes[index].lastNumber += 1
        let time = nodes[index].claims.clock.next(at: .ms(Int64(milliseconds) + nodes[index].skew))
        network.publish(
            ClusterFrame(from: nodes[index].id, time: time, topic: topic, message),
            number: nodes[index].lastNumber, now: now, using: &random)
        return nodes[index].lastNumber
    }
}
