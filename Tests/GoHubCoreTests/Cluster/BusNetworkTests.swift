import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubCore

/// The bus in memory, with its faults and without.
struct BusNetworkTests {
    private var network = BusNetwork(limits: ClusterLimits())
    private var random = SeededRandom(seed: 1)
    private let room = ClusterTopic.room(.lobby)

    init() {
        for node in [.a, .b, .c] as [NodeIncarnation] {
            network.connect(node)
            network.subscribe(node, to: [.all, room])
        }
        _ = drain()
    }

    private func frame(_ offset: Offset, from node: NodeIncarnation = .a) -> ClusterFrame {
        ClusterFrame(
            from: node, time: HybridTime(value: 1), topic: room, .head(Position(epoch: Epoch("e1"), offset: offset)))
    }

    private mutating func publish(_ offset: Offset, from node: NodeIncarnation = .a, at milliseconds: UInt64 = 0) {
        network.publish(frame(offset, from: node), number: offset, now: .ms(milliseconds), using: &random)
    }

    private mutating func drain(at milliseconds: UInt64 = 0) -> [NodeIncarnation: [BusEvent]] {
        var events: [NodeIncarnation: [BusEvent]] = [:]
        while let (node, event) = network.next(now: .ms(milliseconds), using: &random) {
            events[node, default: []].append(event)
        }
        return events
    }

    private func offsets(_ events: [BusEvent]?) -> [Offset] {
        (events ?? []).compactMap { event in
            guard case .heard(let frame) = event, case .head(let position) = frame.message else { return nil }
            return position.offset
        }
    }

    // MARK: Without faults

    @Test mutating func subscribersHearAMessageAndItsSenderIsAnswered() {
        publish(1)
        let events = drain()
        #expect(
            events == [
                .a: [.published(number: 1, receivers: 2)], .b: [.heard(frame(1))], .c: [.heard(frame(1))],
            ])
        #expect(network.isEmpty && network.due == nil)
    }

    @Test mutating func othersHearNothing() {
        network.unsubscribe(.c, from: [room])
        publish(1)
        let events = drain()
        #expect(events[.a] == [.published(number: 1, receivers: 1)] && events[.c] == nil)
    }

    @Test mutating func orderOfASenderIsKept() {
        for offset in 1...50 as ClosedRange<Offset> { publish(offset) }
        let events = drain()
        #expect(offsets(events[.b]) == Array(1...50))
        #expect(offsets(events[.c]) == Array(1...50))
    }

    // MARK: Links

    @Test mutating func resetLosesSubscriptionsAndWhatIsUnderWay() {
        publish(1)
        network.reset(.b)
        network.reset(.b)
        publish(2)
        #expect(drain()[.b] == [.lost])
        publish(3, from: .b)
        #expect(offsets(drain()[.a]) == [], "there is no link")
        network.connect(.b)
        publish(4)
        #expect(drain()[.b] == [.restored], "nothing is subscribed to yet")
        network.subscribe(.b, to: [room])
        publish(5)
        let events = drain()
        #expect(events[.b]?.first == .subscribed([room]) || offsets(events[.b]) == [5])
        #expect(offsets(events[.b]) == [5])
    }

    @Test mutating func removedNodeIsNotCounted() {
        network.remove(.c)
        publish(1)
        #expect(drain() == [.a: [.published(number: 1, receivers: 1)], .b: [.heard(frame(1))]])
    }

    @Test mutating func partedNodesDoNotHearEachOther() {
        network.part(.b, from: .a)
        publish(1)
        publish(2, from: .b)
        let events = drain()
        #expect(offsets(events[.b]) == [] && offsets(events[.a]) == [])
        #expect(offsets(events[.c]).sorted() == [1, 2])
        network.join(.a, with: .b)
        publish(3)
        #expect(offsets(drain()[.b]) == [3])
    }

    @Test mutating func slowNodeIsDisconnected() {
        var limits = ClusterLimits()
        limits.busInboxBytesMax = 1000
        network = BusNetwork(limits: limits)
        for node in [.a, .b] as [NodeIncarnation] {
            network.connect(node)
            network.subscribe(node, to: [room])
        }
        _ = drain()
        for offset in 1...20 as ClosedRange<Offset> { publish(offset) }
        #expect(drain()[.b] == [.lost])
        #expect(!network.isUp(.b))
    }

    @Test mutating func topicsAreBounded() {
        var limits = ClusterLimits()
        limits.busTopicsMax = 2
        network = BusNetwork(limits: limits)
        network.connect(.a)
        network.subscribe(.a, to: [.all, room, .node(.a)])
        #expect(drain()[.a] == [.lost])
    }

    // MARK: Faults

    @Test mutating func messagesAreDroppedRepeatedAndReordered() {
        network.faults.dropOnceIn = 4
        network.faults.repeatOnceIn = 4
        network.faults.reorderOnceIn = 4
        for offset in 1...200 as ClosedRange<Offset> { publish(offset) }
        let heard = offsets(drain()[.b])
        #expect(Set(heard).count < 180 && Set(heard).count > 120)
        #expect(heard.count > Set(heard).count)
        #expect(heard != heard.sorted())
    }

    @Test mutating func answerCanBeLostWithTheLinkAlthoughTheMessageIsHeard() {
        network.faults.loseReplyOnceIn = 1
        publish(1)
        let events = drain()
        #expect(events[.a] == [.lost])
        #expect(offsets(events[.b]) == [1])
    }

    @Test mutating func messagesAreDelayed() {
        network.faults.delayMax = 50
        for offset in 1...20 as ClosedRange<Offset> { publish(offset, at: 100) }
        let early = offsets(drain(at: 100)[.b])
        let late = offsets(drain(at: 150)[.b])
        #expect(early.count < 20 && early + late == Array(1...20))
    }

    @Test mutating func receiversCanBeHidden() {
        network.faults.hidesReceivers = true
        publish(1)
        #expect(drain()[.a] == [.published(number: 1, receivers: nil)])
    }

    @Test mutating func nodeThatStandsStillHearsLater() {
        publish(1)
        while let (node, _) = network.next(now: .ms(0), excluding: [.b], using: &random) { #expect(node != .b) }
        #expect(offsets(drain()[.b]) == [1])
    }

    @Test func sameSeedIsTheSameRun() {
        func run() -> [NodeIncarnation] {
            var other = BusNetworkTests()
            other.network.faults.dropOnceIn = 5
            for offset in 1...30 as ClosedRange<Offset> { other.publish(offset, from: offset % 2 == 0 ? .a : .c) }
            var order: [NodeIncarnation] = []
            while let (node, _) = other.network.next(now: .ms(0), using: &other.random) { order.append(node) }
            return order
        }
        #expect(run() == run())
    }

    // MARK: In one process

    @Test(.timeLimit(.minutes(1)), arguments: ClusterBusContract.checks)
    func busInOneProcessKeepsTheContract(_ check: ClusterBusContract) async throws {
        try await check.run(on: TestInMemoryBus())
    }

    private final class Recorder: Sendable {
        let events = Mutex<[BusEvent]>([])

        var all: [BusEvent] { events.withLock { $0 } }
    }

    @Test func busInOneProcessDelivers() {
        let bus = InMemoryBus()
        let (a, b) = (bus.link(of: .a), bus.link(of: .b))
        let (ofA, ofB) = (Recorder(), Recorder())
        a.start { event in ofA.events.withLock { $0.append(event) } }
        b.start { event in
            ofB.events.withLock { $0.append(event) }
            // A listener may call the bus.
            if event == .restored { b.subscribe([.all]) }
        }
        a.publish(.bye, to: .all, number: 7, at: HybridTime(value: 1))
        let frame = ClusterFrame(from: .a, time: HybridTime(value: 1), topic: .all, .bye)
        #expect(ofB.all == [.restored, .subscribed([.all]), .heard(frame)])
        #expect(ofA.all == [.restored, .published(number: 7, receivers: 1)])
        bus.reset(.b)
        bus.reconnect(.b)
        #expect(ofB.all.suffix(3) == [.lost, .restored, .subscribed([.all])])
        b.stop()
        a.publish(.bye, to: .all, number: 8, at: HybridTime(value: 1))
        #expect(ofB.all.count == 6)
        #expect(ofA.all.last == .published(number: 8, receivers: 0))
    }

    @Test func eventsOfManyThreadsComeOneAtATime() async {
        let bus = InMemoryBus()
        let listener = bus.link(of: .a)
        let recorder = Recorder()
        listener.start { event in recorder.events.withLock { $0.append(event) } }
        listener.subscribe([.all])
        await withTaskGroup(of: Void.self) { group in
            for number in 1...4 as ClosedRange<UInt64> {
                group.addTask {
                    let link = bus.link(of: .number(100 + number))
                    link.start { _ in }
                    for message in 0..<200 as Range<UInt64> {
                        link.publish(.bye, to: .all, number: message, at: HybridTime(value: message))
                    }
                }
            }
        }
        var last: [NodeIncarnation: UInt64] = [:]
        var count = 0
        for case .heard(let frame) in recorder.all {
            #expect(last[frame.from].map { $0 < frame.time.value } ?? true)
            last[frame.from] = frame.time.value
            count += 1
        }
        #expect(count == 800)
    }
}
