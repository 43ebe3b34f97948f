import Foundation
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// Several nodes' links to simulated servers, on one clock, with everything in an order that the seed gives.
///
/// Checks what `ClusterBus` promises at every step.
struct LinkSimulation {
    struct Node {
        var link: RedisLink
        let own: NodeIncarnation
        var isUp = false
        /// Dials under way.
        var dials: [RedisLink.Connection: RedisAddress] = [:]
        var number: UInt64 = 0
        var answered: UInt64 = 0
        var clock: UInt64 = 1
        var beatDue = MonotonicTime.ms(0)
        var wanted: Set<ClusterTopic> = []
        var subscribed: Set<ClusterTopic> = []
        /// The last message heard of each sender and topic.
        var heard: [Sender: UInt64] = [:]
        var heardCount = 0
        var lastReceivers: Int?
        var notes: [RedisLink.Note] = []
    }

    struct Sender: Hashable {
        let node: NodeIncarnation
        let topic: ClusterTopic
    }

    static let primary = RedisAddress.of("one")
    static let other = RedisAddress.of("two")
    static let rooms = (0..<3).map { ClusterTopic.room(.named("r\($0)")) }

    let seed: UInt64
    var random: SeededRandom
    var redis = SimulatedRedis()
    var nodes: [Node] = []
    var now = MonotonicTime.ms(0)

    init(seed: UInt64, nodes count: Int, sentinels: Int) throws {
        self.seed = seed
        random = SeededRandom(seed: seed)
        redis.start(Self.primary, runID: "run-one", isPrimary: true)
        redis.start(Self.other, runID: "run-two", isPrimary: false)
        let addresses = (0..<sentinels).map { RedisAddress.of("s\($0)", 26379) }
        for address in addresses { redis.sentinels[address] = SimulatedRedis.Sentinel(primary: Self.primary) }
        let list = addresses.map(\.description).joined(separator: ",")
        let location = try RedisLocation(sentinels > 0 ? "redis+sentinel://\(list)/main" : "redis://one")
        var limits = RedisLimits()
        limits.publishesInFlightMax = 4
        limits.channelsPerCommandMax = 2
        limits.channelsInFlightMax = 3
        limits.resp.bufferBytes = 1024
        for index in 0..<count {
            let own = NodeIncarnation.number(UInt64(index) + 1)
            let generator = Mutex(SeededRandom(seed: seed &* 31 &+ UInt64(index)))
            let box = Box(generator)
            let link = RedisLink(
                own: own, name: "gohub", location: location, names: ChannelNames(),
                codec: FrameCodec(names: ChannelNames()), limits: limits, now: now, random: { box.next() })
            nodes.append(Node(link: link, own: own))
        }
    }

    private final class Box: Sendable {
        let generator: Mutex<SeededRandom>
        init(_ generator: consuming Mutex<SeededRandom>) { self.generator = generator }
        func next() -> UInt64 { generator.withLock { $0.next() } }
    }

    // MARK: Steps

    /// One step of somebody.
    mutating func step() {
        let index = Int.random(in: nodes.indices, using: &random)
        switch random.next() % 8 {
        case 0: finishDial(index)
        case 1, 2: serve(index)
        case 3, 4: receive(index)
        case 5: publish(index)
        case 6: wish(index)
        default: pass(Milliseconds(random.next() % 50))
        }
        perform(index)
    }

    /// Everything under way arrives, and time passes.
    mutating func settle(for time: Milliseconds) {
        let end = now + time
        while now < end {
            for index in nodes.indices {
                for _ in 0..<4 {
                    for kind in RedisLink.Connection.allCases { finishDial(index, kind) }
                    serve(index, whole: true)
                    receive(index, whole: true)
                    perform(index)
                }
            }
            pass(20)
        }
    }

    private mutating func pass(_ time: Milliseconds) {
        now = now + time
        for index in nodes.indices {
            if nodes[index].isUp, nodes[index].beatDue <= now {
                nodes[index].beatDue = now + 1000
                send(.bye, to: .all, index)
            }
            if let deadline = nodes[index].link.deadline, deadline <= now {
                nodes[index].link.timerFired(now: now)
                #expect(nodes[index].link.deadline.map { $0 > now } ?? true, "a timer fires once, seed \(seed)")
            }
            perform(index)
        }
    }

    private mutating func finishDial(_ index: Int, _ only: RedisLink.Connection? = nil) {
        for kind in RedisLink.Connection.allCases where only == nil || only == kind {
            guard let address = nodes[index].dials.removeValue(forKey: kind) else { continue }
            if redis.connect(SimulatedRedis.Key(node: index, kind: kind), to: address) {
                nodes[index].link.dialled(kind, now: now)
            } else {
                nodes[index].link.closed(kind, RedisError(.unreachable, "Redis: nobody is there."), now: now)
            }
            return
        }
    }

    private mutating func serve(_ index: Int, whole: Bool = false) {
        for kind in RedisLink.Connection.allCases {
            let key = SimulatedRedis.Key(node: index, kind: kind)
            guard redis.connections[key] != nil else { continue }
            let limit = whole ? Int.max : Int(random.next() % 200)
            nodes[index].link.send(kind) { bytes in
                let part = bytes.prefix(limit)
                redis.connections[key]?.toServer += part
                return part.count
            }
            redis.serve(key, bytes: whole ? .max : Int(random.next() % 200))
        }
    }

    private mutating func receive(_ index: Int, whole: Bool = false) {
        for kind in RedisLink.Connection.allCases {
            let key = SimulatedRedis.Key(node: index, kind: kind)
            while let connection = redis.connections[key], !connection.toNode.isEmpty {
                let limit = whole ? Int.max : Int(random.next() % 200) + 1
                let count = nodes[index].link.receive(kind, now: now) { memory in
                    let part = connection.toNode.prefix(min(memory.count, limit))
                    memory.copyBytes(from: part)
                    return part.count
                }
                redis.connections[key]?.toNode.removeFirst(count)
                perform(index)
                if !whole || count == 0 { break }
            }
            if redis.connections[key]?.isEnded == true, redis.connections[key]?.toNode.isEmpty == true {
                redis.connections[key] = nil
                nodes[index].link.closed(kind, .ended, now: now)
                perform(index)
            }
        }
    }

    // MARK: The node

    private mutating func send(_ message: ClusterMessage, to topic: ClusterTopic, _ index: Int) {
        nodes[index].number += 1
        nodes[index].clock += 1
        let time = HybridTime(value: nodes[index].clock)
        nodes[index].link.publish(message, to: topic, number: nodes[index].number, at: time, now: now)
    }

    private mutating func publish(_ index: Int) {
        for _ in 0..<Int(random.next() % 4) {
            send(.presenceWanted, to: random.pick(Self.rooms) ?? .all, index)
        }
    }

    private mutating func wish(_ index: Int) {
        guard nodes[index].isUp, let topic = random.pick(Self.rooms) else { return }
        if nodes[index].wanted.contains(topic) {
            nodes[index].wanted.remove(topic)
            nodes[index].subscribed.remove(topic)
            nodes[index].link.unsubscribe([topic], now: now)
        } else {
            nodes[index].wanted.insert(topic)
            nodes[index].link.subscribe([topic], now: now)
        }
    }

    /// Does what a link asks, and checks it.
    private mutating func perform(_ index: Int) {
        while let action = nodes[index].link.next(now: now) {
            switch action {
            case .dial(let kind, let address):
                redis.connections[SimulatedRedis.Key(node: index, kind: kind)] = nil
                nodes[index].dials[kind] = address
            case .close(let kind):
                redis.connections[SimulatedRedis.Key(node: index, kind: kind)] = nil
                nodes[index].dials[kind] = nil
            case .note(let note): nodes[index].notes.append(note)
            case .report(let event): take(event, index)
            }
        }
    }

    private mutating func take(_ event: BusEvent, _ index: Int) {
        switch event {
        case .restored:
            #expect(!nodes[index].isUp, "restored while up, seed \(seed)")
            nodes[index].isUp = true
            nodes[index].wanted.insert(.all)
            // What was published before is answered no more.
            nodes[index].answered = nodes[index].number
            nodes[index].link.subscribe(nodes[index].wanted.shuffled(using: &random), now: now)
        case .lost:
            #expect(nodes[index].isUp, "lost while down, seed \(seed)")
            nodes[index].isUp = false
            nodes[index].subscribed = []
        case .subscribed(let topics):
            #expect(nodes[index].isUp, "seed \(seed)")
            #expect(nodes[index].wanted.isSuperset(of: topics), "seed \(seed)")
            nodes[index].subscribed.formUnion(topics)
        case .published(let number, let receivers):
            #expect(nodes[index].isUp, "seed \(seed)")
            #expect(number == nodes[index].answered + 1, "in order, without a hole, seed \(seed)")
            nodes[index].answered = number
            nodes[index].lastReceivers = receivers
        case .heard(let frame):
            let node = nodes[index]
            #expect(node.isUp && frame.from != node.own, "seed \(seed)")
            #expect(node.wanted.contains(frame.topic), "seed \(seed)")
            let sender = Sender(node: frame.from, topic: frame.topic)
            #expect(frame.time.value > node.heard[sender] ?? 0, "in order and once, seed \(seed)")
            nodes[index].heard[sender] = frame.time.value
            nodes[index].heardCount += 1
        }
    }

    // MARK: Faults

    mutating func fail() {
        switch random.next() % 8 {
        case 0:
            let keys = redis.connections.keys.sorted()
            if let key = random.pick(keys) { redis.connections[key]?.isEnded = true }
        case 1: redis.stop(Self.primary)
        case 2: redis.servers[Self.primary]?.mood = .frozen
        case 3: redis.servers[Self.primary]?.mood = .deaf
        case 4: redis.start(Self.primary, runID: "run-\(random.next() % 1000)", isPrimary: random.once(in: 2))
        case 5:
            // A failover; the old primary goes on, unless it was told.
            redis.servers[Self.other]?.isPrimary = true
            if random.once(in: 2) { redis.servers[Self.primary]?.isPrimary = false }
            for address in redis.sentinels.keys.sorted(by: { $0.host < $1.host }) where random.once(in: 2) {
                redis.sentinels[address]?.primary = Self.other
            }
            if random.once(in: 2) { redis.tellSwitch(from: Self.primary, to: Self.other) }
        case 6:
            for address in redis.sentinels.keys.sorted(by: { $0.host < $1.host }) {
                redis.sentinels[address]?.isUp = !random.once(in: 3)
            }
        default: break
        }
    }

    /// All servers are well; one is the primary, and most Sentinels know.
    mutating func heal(primary: RedisAddress) {
        for address in [Self.primary, Self.other] {
            if redis.servers[address]?.mood == .down {
                redis.start(address, runID: "run-\(random.next() % 1000)", isPrimary: false)
            }
            redis.servers[address]?.mood = .well
            redis.servers[address]?.isPrimary = address == primary
        }
        for (number, address) in redis.sentinels.keys.sorted(by: { $0.host < $1.host }).enumerated() {
            redis.sentinels[address] = SimulatedRedis.Sentinel(
                primary: number == 0 && redis.sentinels.count > 2 ? Self.primary : primary,
                isUp: number != 1 || random.once(in: 2))
        }
    }

    // MARK: The end

    /// Every node is up and hears what the others say, with the right numbers of receivers.
    mutating func checkBus() {
        // Answers to the last beats are under way, perhaps.
        for index in nodes.indices { nodes[index].beatDue = now + 1000 }
        settle(for: 60)
        for index in nodes.indices {
            #expect(nodes[index].isUp, "node \(index) is down: \(nodes[index].notes.suffix(3)), seed \(seed)")
            #expect(nodes[index].subscribed == nodes[index].wanted, "seed \(seed)")
            #expect(nodes[index].answered == nodes[index].number, "seed \(seed)")
        }
        for topic in Self.rooms + [.all] {
            for index in nodes.indices {
                let others = nodes.indices.filter { $0 != index && nodes[$0].wanted.contains(topic) }
                let before = nodes.map(\.heardCount)
                send(topic == .all ? .bye : .presenceWanted, to: topic, index)
                // Shorter than a beat.
                for index in nodes.indices { nodes[index].beatDue = now + 1000 }
                settle(for: 100)
                for other in nodes.indices {
                    let isReceiver = others.contains(other)
                    #expect(nodes[other].heardCount - before[other] == (isReceiver ? 1 : 0), "seed \(seed)")
                }
                #expect(nodes[index].lastReceivers == others.count, "seed \(seed)")
            }
        }
    }
}

/// More of them with the variable `SEEDS`.
private let simulatedSeeds: Range<UInt64> =
    0..<(ProcessInfo.processInfo.environment["SEEDS"].flatMap { UInt64($0) } ?? 48)

struct LinkSimulationTests {
    @Test func nodesHearEachOther() throws {
        var simulation = try LinkSimulation(seed: 1, nodes: 3, sentinels: 0)
        simulation.settle(for: 500)
        simulation.checkBus()
        #expect(
            simulation.nodes[0].notes == [
                .connected(LinkSimulation.primary, RedisServer(role: .primary, runID: "run-one", version: "7.0.15"))
            ])
    }

    @Test(arguments: simulatedSeeds)
    func linksHealAfterAnyFaults(_ seed: UInt64) throws {
        var simulation = try LinkSimulation(
            seed: seed, nodes: 2 + Int(seed % 3), sentinels: [0, 1, 3, 5][Int(seed / 3 % 4)])
        for _ in 0..<400 {
            simulation.step()
            if simulation.random.once(in: 60) { simulation.fail() }
        }
        let hasSentinels = !simulation.redis.sentinels.isEmpty
        simulation.heal(
            primary: hasSentinels && seed.isMultiple(of: 2) ? LinkSimulation.other : LinkSimulation.primary)
        simulation.settle(for: 20_000)
        simulation.checkBus()
    }

    @Test func serverThatDeliversNothingIsLeft() throws {
        var simulation = try LinkSimulation(seed: 5, nodes: 2, sentinels: 0)
        simulation.settle(for: 2000)
        simulation.redis.servers[LinkSimulation.primary]?.mood = .deaf
        simulation.settle(for: 5000)
        let lost = simulation.nodes[0].notes.compactMap { note in
            if case .lost(let error) = note { error } else { nil }
        }
        #expect(lost.first?.code == .timeout)
        #expect(lost.first?.message.contains("does not deliver") == true)
    }

    @Test func frozenServerIsLeftWithinSeconds() throws {
        var simulation = try LinkSimulation(seed: 6, nodes: 2, sentinels: 3)
        simulation.settle(for: 2000)
        simulation.redis.servers[LinkSimulation.primary]?.mood = .frozen
        simulation.redis.servers[LinkSimulation.other]?.isPrimary = true
        for address in simulation.redis.sentinels.keys {
            simulation.redis.sentinels[address]?.primary = LinkSimulation.other
        }
        // No news, as when the event is lost.
        simulation.settle(for: 5000)
        simulation.checkBus()
        #expect(simulation.nodes[0].link.target == LinkSimulation.other)
    }

    @Test func newsMoveTheLinkAtOnce() throws {
        var simulation = try LinkSimulation(seed: 7, nodes: 2, sentinels: 3)
        simulation.settle(for: 1000)
        simulation.redis.servers[LinkSimulation.other]?.isPrimary = true
        for address in simulation.redis.sentinels.keys {
            simulation.redis.sentinels[address]?.primary = LinkSimulation.other
        }
        simulation.redis.tellSwitch(from: LinkSimulation.primary, to: LinkSimulation.other)
        simulation.settle(for: 500)
        #expect(simulation.nodes.allSatisfy { $0.isUp && $0.link.target == LinkSimulation.other })
    }

    /// A detached primary goes on as if nothing had happened, and no news came: the rows of the other node tell.
    @Test func nodesOnTwoPrimariesFindEachOther() throws {
        var simulation = try LinkSimulation(seed: 8, nodes: 2, sentinels: 3)
        simulation.settle(for: 1000)
        simulation.redis.servers[LinkSimulation.other]?.isPrimary = true
        for address in simulation.redis.sentinels.keys {
            simulation.redis.sentinels[address]?.primary = LinkSimulation.other
        }
        let key = SimulatedRedis.Key(node: 1, kind: .commands)
        simulation.redis.connections[key]?.isEnded = true
        simulation.settle(for: 1000)
        #expect(simulation.nodes.map(\.link.target) == [LinkSimulation.primary, LinkSimulation.other])
        for index in 0..<2 {
            simulation.nodes[index].link.compare(with: [index == 0 ? "run-two" : "run-one"], now: simulation.now)
        }
        simulation.settle(for: 1000)
        #expect(simulation.nodes.map(\.link.target) == [LinkSimulation.other, LinkSimulation.other])
        simulation.checkBus()
    }
}
