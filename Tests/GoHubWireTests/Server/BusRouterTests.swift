import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubWire

/// Between the bus and the loops.
struct BusRouterTests {
    /// A bus that does nothing, and remembers what it was asked for.
    private final class RecordingBus: ClusterBus {
        struct Seen {
            var listener: (@Sendable (BusEvent) -> Void)?
            var resets = 0
            var topics: [ClusterTopic] = []
            var published: [(message: ClusterMessage, number: UInt64)] = []
        }

        let seen = Mutex(Seen())

        func start(_ listener: @escaping @Sendable (BusEvent) -> Void) { seen.withLock { $0.listener = listener } }
        func stop() { seen.withLock { $0.listener = nil } }
        func reset() { seen.withLock { $0.resets += 1 } }
        func subscribe(_ topics: [ClusterTopic]) { seen.withLock { $0.topics += topics } }
        func unsubscribe(_ topics: [ClusterTopic]) {}

        func publish(_ message: ClusterMessage, to topic: ClusterTopic, number: UInt64, at time: HybridTime) {
            seen.withLock { $0.published.append((message, number)) }
        }

        func report(_ event: BusEvent) { seen.withLock { $0.listener }?(event) }
        var resets: Int { seen.withLock { $0.resets } }
    }

    private final class Listener: Sendable {
        let events = Mutex<[BusEvent]>([])
    }

    private let bus = RecordingBus()
    private let listener = Listener()
    private let mailboxes: [Mailbox<LoopMessage>]
    private let node: NodeIncarnation
    private let other: NodeIncarnation
    private var limits = ClusterLimits()

    init() throws {
        mailboxes = [try Mailbox(), try Mailbox()]
        node = try #require(NodeIncarnation(1))
        other = try #require(NodeIncarnation(2))
        limits.busInboxBytesMax = 1000
    }

    private func makeRouter() -> BusRouter {
        let link = ServerBus(bus) { [listener] event in listener.events.withLock { $0.append(event) } }
        let router = BusRouter(link, node: node, mailboxes: mailboxes, limits: limits)
        router.start()
        bus.report(.restored)
        for mailbox in mailboxes { _ = mailbox.fetch() }
        listener.events.withLock { $0 = [] }
        return router
    }

    private func frame(_ message: ClusterMessage, to topic: ClusterTopic) -> ClusterFrame {
        ClusterFrame(from: other, time: HybridTime(value: 1), topic: topic, message)
    }

    /// To the lobby, with 160 bytes by the bus's reckoning.
    private var toLobby: ClusterFrame { frame(.presenceWanted, to: .room(.lobby)) }

    private func inputs() -> [[HubInput]] {
        mailboxes.map { $0.fetch().compactMap { if case .input(let input) = $0 { input } else { nil } } }
    }

    private func frames() -> [ClusterFrame] {
        mailboxes.flatMap { $0.fetch().compactMap { if case .busFrame(let frame) = $0 { frame } else { nil } } }
    }

    /// Answers to the shards' own messages come to this node's topic.
    @Test func restoredLinkSubscribesToTheNodeAndTellsAllShards() {
        let router = makeRouter()
        #expect(bus.seen.withLock { $0.topics } == [.all, .node(node)])
        bus.report(.lost)
        #expect(inputs().map(\.count) == [1, 1])
        #expect(listener.events.withLock { $0 } == [.lost])
        router.stop()
    }

    @Test func messageGoesToTheShardOfItsSubject() {
        let router = makeRouter()
        bus.report(.heard(toLobby))
        bus.report(.heard(frame(.presenceWantedOf(.lobby), to: .node(node))))
        let loop = ServerShared.shard(of: .room(.lobby), count: 2)
        #expect(mailboxes[loop].fetch().count == 2)
        #expect(mailboxes[1 - loop].fetch().isEmpty)
        #expect(listener.events.withLock { $0 } == [])
        router.stop()
    }

    @Test func messageToAllGoesToTheListener() {
        let router = makeRouter()
        let returned = frame(.returned, to: .all)
        bus.report(.heard(returned))
        #expect(listener.events.withLock { $0 } == [.heard(returned)])
        #expect(frames() == [])
        router.stop()
    }

    @Test func reportGoesToTheShardThatHasPublished() {
        let router = makeRouter()
        let publication = BusRequest.publish(.presenceWanted, to: .room(.lobby), number: 7, at: HybridTime(value: 1))
        router.perform(publication, of: 1)
        let number = bus.seen.withLock { $0.published.last?.number ?? 0 }
        bus.report(.published(number: number, receivers: 3))
        let told = inputs()
        #expect(told[0].isEmpty)
        guard case .busPublished(7, receivers: 3)? = told[1].first, told[1].count == 1 else {
            Issue.record("\(told)")
            return
        }
        // Without a number nobody waits.
        bus.report(.published(number: 0, receivers: 3))
        #expect(inputs().map(\.count) == [0, 0])
        router.stop()
    }

    // MARK: The bound

    /// The shards then poll the store, and begin anew.
    @Test func linkIsResetWhenALoopDoesNotKeepUp() {
        let router = makeRouter()
        for _ in 0..<6 { bus.report(.heard(toLobby)) }
        #expect(bus.resets == 0)
        bus.report(.heard(toLobby))
        #expect(bus.resets == 1)
        // What is under way of the old link doesn't count.
        bus.report(.heard(toLobby))
        #expect(bus.resets == 1)
        #expect(frames().count == 6)
        router.stop()
    }

    @Test func messagesThatAreTakenMakePlace() {
        let router = makeRouter()
        let loop = ServerShared.shard(of: .room(.lobby), count: 2)
        for _ in 0..<100 {
            bus.report(.heard(toLobby))
            for frame in frames() { router.taken(frame, by: loop) }
        }
        #expect(bus.resets == 0)
        router.stop()
    }

    @Test func messagesAreHeardAgainAfterTheReset() {
        let router = makeRouter()
        let loop = ServerShared.shard(of: .room(.lobby), count: 2)
        for _ in 0..<7 { bus.report(.heard(toLobby)) }
        for frame in frames() { router.taken(frame, by: loop) }
        bus.report(.lost)
        bus.report(.restored)
        bus.report(.heard(toLobby))
        #expect(frames().count == 1)
        #expect(bus.resets == 1)
        router.stop()
    }

    @Test func endSaysGoodbye() {
        let router = makeRouter()
        router.stop()
        #expect(bus.seen.withLock { $0.published.map(\.message) } == [.bye])
        #expect(bus.seen.withLock { $0.listener == nil })
    }
}
