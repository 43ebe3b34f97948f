import Dispatch
import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// The bus over a real Redis server.
@Suite(.timeLimit(.minutes(2)))
struct RedisBusTests {
    private let room = ClusterTopic.room(.lobby)

    @Test(arguments: ClusterBusContract.checks)
    func keepsTheContract(_ check: ClusterBusContract) async throws {
        let server = try await RedisServerFixture.shared()
        try await check.run(on: TestRedisBus(server, try server.location()))
    }

    @Test func statusTellsWhatTheBusDoes() async throws {
        let server = try await RedisServerFixture.start()
        let (a, b) = (try RedisBusFixture(1, try server.location()), try RedisBusFixture(2, try server.location()))
        #expect(await a.node.next() == .restored)
        #expect(await b.node.next() == .restored)
        #expect(a.bus.status.isUp)
        #expect(a.bus.status.server == server.address)
        let info = RedisInfo(try await server.command("INFO", "server").text ?? "")
        #expect(a.bus.status.runID == info.runID)
        await b.node.subscribe([room])
        a.node.publish(1, to: room)
        await a.node.expectPublished(1, receivers: 1)
        #expect(await b.node.heard(1) == [1])
        try await server.command("PUBLISH", "gohub.r.default.lobby", "anything")
        b.node.publish(2, to: .all)
        await b.node.expectPublished(2, receivers: 0)
        // The numbers are those of the thread's last turn.
        a.node.stop()
        b.node.stop()
        let (ofA, ofB) = (a.bus.status, b.bus.status)
        #expect(ofA.published == 1 && ofB.heard == 1 && ofB.refused == ["unknown_format": 1])
        #expect(ofA.links == 1 && ofA.bytesSent > 0 && ofB.bytesReceived > ofA.bytesSent / 4)
        #expect(a.reports == [.connected(server.address, RedisServer(role: .primary, info))])
    }

    @Test func prefixesSeparateClusters() async throws {
        let server = try await RedisServerFixture.shared()
        let location = try server.location()
        let (one, other) = (TestRedisBus(server, location), TestRedisBus(server, location))
        let a = try BusNode(1) { try one.link(of: $0) }
        let b = try BusNode(2) { try one.link(of: $0) }
        let stranger = try BusNode(3) { try other.link(of: $0) }
        for node in [a, b, stranger] {
            #expect(await node.next() == .restored)
            await node.subscribe([.all])
        }
        a.publish(1, to: .all)
        #expect(await b.heard(1) == [1])
        stranger.publish(2, to: .all)
        await stranger.expectPublished(2, receivers: 0)
    }

    @Test func nodesWithAnotherKeyAreNotHeard() async throws {
        let server = try await RedisServerFixture.start()
        func node(_ number: UInt64, _ keys: [UInt8]) async throws -> RedisBusFixture {
            let fixture = try RedisBusFixture(
                number, try server.location(), authenticators: keys.map { key in Self.authenticator(key) })
            #expect(await fixture.node.next() == .restored)
            await fixture.node.subscribe([room])
            return fixture
        }
        let (a, b) = (try await node(1, [1]), try await node(2, [2, 1]))
        let (c, d) = (try await node(3, [3]), try await node(4, []))
        a.node.publish(1, to: room)
        // An earlier key is accepted.
        #expect(await b.node.heard(1) == [1])
        // Without a key, nothing is checked.
        #expect(await d.node.heard(1) == [1])
        // The other key's node has got both messages by the time that its own is answered.
        d.node.publish(2, to: room)
        await d.node.expectPublished(2, receivers: 3)
        c.node.publish(3, to: .all)
        await c.node.expectPublished(3, receivers: 0)
        c.node.stop()
        #expect(c.bus.status.refused == ["unauthenticated": 2])
    }

    /// No cryptography: a sum that depends on the key.
    private static func authenticator(_ key: UInt8) -> FrameAuthenticator {
        { first, second in
            let sum = (first.reduce(0) { $0 &+ $1 }) &+ (second.reduce(0) { $0 &+ $1 })
            guard let mac = FrameMAC(repeatElement(sum ^ key, count: FrameMAC.bytes)) else {
                preconditionFailure("16 bytes are enough")
            }
            return mac
        }
    }

    // MARK: Requests and their link

    @Test func requestsForAnEarlierLinkAreDropped() async throws {
        let server = try await RedisServerFixture.start()
        let a = try RedisBusFixture(1, try server.location())
        #expect(await a.node.next() == .restored)
        #expect(a.bus.link == 1)
        try await server.command("CLIENT", "KILL", "TYPE", "normal")
        #expect(await a.node.next() == .lost)
        #expect(await a.node.next() == .restored)
        #expect(a.bus.link == 2)
        let b = try RedisBusFixture(2, try server.location())
        #expect(await b.node.next() == .restored)
        await b.node.subscribe([room])
        a.bus.publish(.bye, to: room, number: 1, at: HybridTime(value: 1), for: 1)
        a.bus.publish(.presenceIs(2), to: room, number: 2, at: HybridTime(value: 2), for: 2)
        await a.node.expectPublished(2, receivers: 1)
        #expect(await b.node.heard(1) == [2])
    }

    @Test func requestsWithoutALinkAreIgnored() async throws {
        let fixture = try RedisServerFixture()
        let a = try RedisBusFixture(1, try fixture.location())
        a.node.publish(1, to: room)
        a.bus.subscribe([room])
        try await fixture.start()
        #expect(await a.node.next() == .restored)
        await a.node.subscribe([.all])
        a.node.publish(2, to: room)
        await a.node.expectPublished(2, receivers: 0)
    }

    @Test func linkIsGivenUpWhenMoreMessagesWaitThanMay() async throws {
        let server = try await RedisServerFixture.shared()
        var limits = RedisLimits.quick
        limits.mailboxBytesMax = 10_000
        let (entered, entry) = AsyncStream.makeStream(of: Void.self)
        let release = DispatchSemaphore(value: 0)
        let bus = try RedisBus(node: .named("slow"), try server.location(), limits: limits)
        let (events, continuation) = AsyncStream.makeStream(of: BusEvent.self)
        bus.start { event in
            continuation.yield(event)
            guard case .subscribed = event else { return }
            // The bus thread stands still.
            entry.yield()
            release.wait()
        }
        var iterator = events.makeAsyncIterator()
        #expect(await iterator.next() == .restored)
        bus.subscribe([room])
        for await _ in entered { break }
        for number in 0..<100 as Range<UInt64> {
            bus.publish(.bye, to: .all, number: number, at: HybridTime(value: number))
        }
        release.signal()
        #expect(await iterator.next() == .subscribed([room]))
        #expect(await iterator.next() == .lost)
        #expect(await iterator.next() == .restored)
        #expect(bus.status.published == 0)
        bus.stop()
    }

    @Test func listenerMayStopTheBus() async throws {
        let server = try await RedisServerFixture.shared()
        let bus = try RedisBus(node: .named("short"), try server.location())
        let (events, continuation) = AsyncStream.makeStream(of: BusEvent.self)
        bus.start { event in
            continuation.yield(event)
            bus.subscribe([.all])
            bus.stop()
            continuation.finish()
        }
        var all: [BusEvent] = []
        for await event in events { all.append(event) }
        #expect(all == [.restored])
    }
}

extension RedisServer {
    init(role: Role, _ info: RedisInfo) {
        self.init(role: role, runID: info.runID, version: info.version)
    }
}
