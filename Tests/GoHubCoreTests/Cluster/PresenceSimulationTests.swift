import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Users who come and go in the rooms of three nodes, over a bus that loses, repeats and reorders.
///
/// When all is quiet, every node with members in a room knows exactly the users on the others (I8), counts each once
/// (I9), and was told of every change that leads there.
struct PresenceSimulationTests {
    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func everyNodeKnowsWhoIsThereInTheEnd(seed: UInt64) {
        var cluster = PresentCluster(seed: seed)
        for _ in 0..<3 {
            for _ in 0..<500 { cluster.step() }
            cluster.settle()
            cluster.check()
        }
        #expect(cluster.violations == [], "seed \(seed)")
    }
}

/// Three nodes with members in two rooms.
private struct PresentCluster {
    /// A room in a node's memory.
    private struct Room {
        var local: [UserID: Member] = [:]
        var source: PresenceSource
        var others: RoomPresence
        /// What this node's members were told of the others.
        var told: Set<UserID> = []
    }

    private struct Node {
        var id: NodeIncarnation
        var clock = HybridClock()
        var rooms: [RoomID: Room] = [:]
        var lastNumber: UInt64 = 0
        var isUp = true
    }

    private static let rooms = [RoomID.named("one"), RoomID.named("two")]
    private static let users = (0..<6).map { UserID.named("u\($0)") }
    private static let limits: ClusterLimits = {
        var limits = ClusterLimits()
        limits.presencePartUsersMax = 2
        limits.presenceHeldUpdatesMax = 3
        return limits
    }()

    private var random: SeededRandom
    private var network = BusNetwork(limits: limits)
    private var nodes: [Node] = []
    private var milliseconds: UInt64 = 1000
    private var lives: UInt64 = 100
    private(set) var violations: [String] = []

    private var now: MonotonicTime { .ms(milliseconds) }

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        network.faults.dropOnceIn = 6
        network.faults.repeatOnceIn = 6
        network.faults.reorderOnceIn = 4
        network.faults.loseReplyOnceIn = 80
        network.faults.delayMax = Milliseconds(seed % 2 == 0 ? 30 : 2000)
        for _ in 0..<3 { start() }
    }

    // MARK: Steps

    mutating func step() {
        let index = Int(random.next() % UInt64(nodes.count))
        switch random.next() % 30 {
        case 0...4: come(Self.users[Int(random.next() % 6)], into: Self.rooms[Int(random.next() % 2)], on: index)
        case 5...8: leave(Self.users[Int(random.next() % 6)], Self.rooms[Int(random.next() % 2)], on: index)
        case 9...12: flush(index)
        case 13: announce(index)
        case 14: if random.once(in: 10) { network.reset(nodes[index].id) }
        case 15: for node in nodes where random.once(in: 3) { network.connect(node.id) }
        case 16: if random.once(in: 8) { kill(index) }
        case 17...18: advance(by: random.next() % 1500)
        default: hear()
        }
    }

    mutating func settle() {
        let faults = network.faults
        network.faults = BusNetwork.Faults()
        for round in 0..<400 {
            for node in nodes { network.connect(node.id) }
            for index in nodes.indices {
                flush(index)
                if round % 60 == 0 { announce(index) }
            }
            while hear() {}
            advance(by: 500)
        }
        network.faults = faults
    }

    mutating func check() {
        for node in nodes {
            for (id, room) in node.rooms {
                let expected = Set(
                    nodes.filter { $0.id != node.id }.flatMap { $0.rooms[id]?.local.keys.map(\.self) ?? [] })
                let known = Set(room.others.members.map(\.user))
                if known != expected { violations.append("\(node.id) knows \(known) and not \(expected)") }
                if room.told != expected { violations.append("\(node.id) told \(room.told) and not \(expected)") }
                if room.others.count != expected.count { violations.append("\(node.id) counts \(room.others.count)") }
                if room.others.isPartial { violations.append("\(node.id) lacks a set") }
            }
        }
    }

    // MARK: Nodes

    private mutating func start() {
        lives += 1
        nodes.append(Node(id: .number(lives)))
        network.connect(.number(lives))
    }

    /// The node is gone, all others judge so, and another one starts.
    private mutating func kill(_ index: Int) {
        let id = nodes.remove(at: index).id
        network.remove(id)
        // What it has sent may still be under way; a judgement that comes after it is the registry's.
        for other in nodes.indices {
            for room in nodes[other].rooms.keys { act(other, room) { $0.nodeEnded(id, now: $2, into: &$1) } }
        }
        dead.insert(id)
        start()
    }

    private var dead: Set<NodeIncarnation> = []

    private mutating func come(_ user: UserID, into room: RoomID, on index: Int) {
        if nodes[index].rooms[room] == nil {
            let start = nodes[index].clock.next(at: .ms(Int64(milliseconds)))
            nodes[index].rooms[room] = Room(
                source: PresenceSource(start: start), others: RoomPresence(limits: Self.limits))
            network.subscribe(nodes[index].id, to: [.room(room)])
            publish(.presenceWanted, to: .room(room), from: index)
        }
        guard nodes[index].rooms[room]?.local.updateValue(Member(user: user), forKey: user) == nil else { return }
        nodes[index].rooms[room]?.source.note(user, wasPresent: false)
    }

    private mutating func leave(_ user: UserID, _ room: RoomID, on index: Int) {
        guard nodes[index].rooms[room]?.local.removeValue(forKey: user) != nil else { return }
        nodes[index].rooms[room]?.source.note(user, wasPresent: true)
    }

    /// Tells the changes, and evicts rooms without members.
    private mutating func flush(_ index: Int) {
        for room in Self.rooms {
            let local = nodes[index].rooms[room]?.local ?? [:]
            while let update = nodes[index].rooms[room]?.source.takeUpdate(usersMax: 2, member: { local[$0] }) {
                publish(.presence(update), to: .room(room), from: index)
            }
            guard local.isEmpty, nodes[index].rooms[room] != nil else { continue }
            nodes[index].rooms[room] = nil
            network.unsubscribe(nodes[index].id, from: [.room(room)])
        }
    }

    private mutating func announce(_ index: Int) {
        for room in Self.rooms {
            guard let version = nodes[index].rooms[room]?.source.version else { continue }
            publish(.presenceIs(version), to: .room(room), from: index)
        }
    }

    private mutating func advance(by time: UInt64) {
        milliseconds += time
        for index in nodes.indices {
            for room in Self.rooms { act(index, room) { $0.timeAdvanced(now: $2, into: &$1) } }
        }
    }

    // MARK: The bus

    @discardableResult
    private mutating func hear() -> Bool {
        guard let (id, event) = network.next(now: now, using: &random) else { return !network.isEmpty && wait() }
        guard let index = nodes.firstIndex(where: { $0.id == id }) else { return true }
        switch event {
        case .restored:
            let rooms = Self.rooms.filter { nodes[index].rooms[$0] != nil }
            network.subscribe(id, to: [.node(id)] + rooms.map { .room($0) })
        case .subscribed(let topics):
            for case .room(let room) in topics where nodes[index].rooms[room] != nil {
                publish(.presenceWanted, to: .room(room), from: index)
            }
        case .heard(let frame): if !dead.contains(frame.from) { hear(frame, index) }
        case .lost, .published: break
        }
        return true
    }

    /// Lets what is under way arrive.
    private mutating func wait() -> Bool {
        advance(by: 10)
        return true
    }

    private mutating func hear(_ frame: ClusterFrame, _ index: Int) {
        nodes[index].clock.heard(frame.time)
        let room: RoomID? = if case .room(let room) = frame.topic { room } else { nil }
        switch (frame.message, room) {
        case (.presence(let update), let room?):
            act(index, room) { $0.updated(update, from: frame.from, now: $2, into: &$1) }
        case (.presenceIs(let version), let room?):
            act(index, room) { $0.versionHeard(version, from: frame.from, now: $2, into: &$1) }
        case (.presenceWanted, let room?): answer(room, to: frame.from, from: index)
        case (.presenceWantedOf(let room), nil): answer(room, to: frame.from, from: index)
        case (.presencePart(let room, let part), nil):
            act(index, room) { $0.partReceived(part, from: frame.from, now: $2, into: &$1) }
        default: violations.append("\(frame.message) came to \(frame.topic)")
        }
    }

    private mutating func answer(_ room: RoomID, to node: NodeIncarnation, from index: Int) {
        flush(index)
        let local = nodes[index].rooms[room]?.local.values.sorted { $0.user < $1.user } ?? []
        let parts =
            nodes[index].rooms[room]?.source.parts(of: local, usersMax: Self.limits.presencePartUsersMax)
            ?? PresenceSource.empty(at: nodes[index].clock.next(at: .ms(Int64(milliseconds))))
        for part in parts { publish(.presencePart(room, part), to: .node(node), from: index) }
    }

    private mutating func act(
        _ index: Int, _ id: RoomID, _ body: (inout RoomPresence, inout [RoomPresence.Action], MonotonicTime) -> Void
    ) {
        guard var others = nodes[index].rooms[id]?.others else { return }
        var actions: [RoomPresence.Action] = []
        body(&others, &actions, now)
        nodes[index].rooms[id]?.others = others
        for action in actions {
            switch action {
            case .ask(let node): publish(.presenceWantedOf(id), to: .node(node), from: index)
            case .changed(let user, true):
                if nodes[index].rooms[id]?.told.insert(user).inserted == false {
                    violations.append("\(user) came twice")
                }
            case .changed(let user, false):
                if nodes[index].rooms[id]?.told.remove(user) == nil { violations.append("\(user) left twice") }
            }
        }
    }

    private mutating func publish(_ message: ClusterMessage, to topic: ClusterTopic, from index: Int) {
        nodes[index].lastNumber += 1
        let time = nodes[index].clock.next(at: .ms(Int64(milliseconds)))
        network.publish(
            ClusterFrame(from: nodes[index].id, time: time, topic: topic, message), number: nodes[index].lastNumber,
            now: now, using: &random)
    }
}
