import Dispatch
import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// Real servers that fail, and what the nodes and their operators notice.
@Suite(.timeLimit(.minutes(3)))
struct RedisBusFaultTests {
    private let room = ClusterTopic.room(.lobby)

    /// Two nodes, of which the second has subscribed.
    private func nodes(
        _ location: RedisLocation, limits: RedisLimits = .quick
    ) async throws -> (RedisBusFixture, RedisBusFixture) {
        let (a, b) = (
            try RedisBusFixture(1, location, limits: limits), try RedisBusFixture(2, location, limits: limits)
        )
        #expect(await a.node.next() == .restored)
        #expect(await b.node.next() == .restored)
        await b.node.subscribe([room])
        return (a, b)
    }

    /// Both nodes are back: what one publishes, the other hears.
    private func expectHealed(_ a: RedisBusFixture, _ b: RedisBusFixture) async {
        #expect(await a.node.next(where: { $0 == .restored }) != nil)
        #expect(await b.node.next(where: { $0 == .restored }) != nil)
        await b.node.subscribe([room])
        a.node.publish(77, to: room)
        #expect(await b.node.heard(1) == [77])
        await a.node.expectPublished(77, receivers: 1)
    }

    @Test func nodesComeBackAfterTheServer() async throws {
        let server = try await RedisServerFixture.start()
        let (a, b) = try await nodes(try server.location())
        let runID = a.bus.status.runID
        server.kill()
        #expect(await a.node.next() == .lost)
        #expect(await b.node.next() == .lost)
        #expect(a.bus.status.runID == nil && !a.bus.status.isUp)
        let failed = try await a.report { $0.code == .unreachable }
        #expect(failed.description.contains("127.0.0.1:\(server.port) can't be reached: Connection refused"))
        try await server.start()
        await expectHealed(a, b)
        #expect(a.bus.status.runID != runID && a.bus.status.links == 2)
        #expect(a.reports.filter { if case .connected = $0 { true } else { false } }.count == 2)
        #expect(a.reports.filter { if case .lost = $0 { true } else { false } }.count == 1)
        // However many attempts there were, each reason is reported once.
        let failures = a.reports.filter { if case .failed = $0 { true } else { false } }
        #expect(Set(failures).count == failures.count)
    }

    @Test func nodesComeBackAfterTheirSubscriptionsAreKilled() async throws {
        let server = try await RedisServerFixture.start()
        let (a, b) = try await nodes(try server.location())
        try await server.command("CLIENT", "KILL", "TYPE", "pubsub")
        #expect(await b.node.next() == .lost)
        #expect(await b.node.next() == .restored)
        await b.node.subscribe([room])
        a.node.publish(1, to: room)
        #expect(await b.node.heard(1) == [1])
        #expect(b.reports.count == 3)
        #expect(b.reports[1].code == .closed)
    }

    @Test func serverThatStandsStillIsLeftAndFoundAgain() async throws {
        let server = try await RedisServerFixture.start()
        var limits = RedisLimits.quick
        limits.answerTimeout = 200
        limits.connectTimeout = 500
        limits.sentinelTimeout = 200
        let a = try RedisBusFixture(1, try server.location(), limits: limits)
        #expect(await a.node.next() == .restored)
        // It ends by itself: a paused server takes no command.
        try await server.command("CLIENT", "PAUSE", "2000", "ALL")
        a.node.publish(1, to: room)
        #expect(await a.node.next() == .lost)
        #expect(try await a.report { if case .lost = $0 { true } else { false } }.code == .timeout)
        #expect(await a.node.next() == .restored)
        a.node.publish(2, to: room)
        await a.node.expectPublished(2, receivers: 0)
    }

    @Test func emptiedServerIsNoFault() async throws {
        let server = try await RedisServerFixture.start()
        let (a, b) = try await nodes(try server.location())
        try await server.command("FLUSHALL")
        a.node.publish(1, to: room)
        #expect(await b.node.heard(1) == [1])
        #expect(a.bus.link == 1 && b.bus.link == 1)
    }

    @Test func nodeOnAnotherServerThanMostConnectsAnew() async throws {
        let server = try await RedisServerFixture.start()
        let a = try RedisBusFixture(1, try server.location())
        #expect(await a.node.next() == .restored)
        let runID = try #require(a.bus.status.runID)
        a.bus.compare(with: [runID, runID, "elsewhere"])
        a.node.publish(1, to: room)
        await a.node.expectPublished(1, receivers: 0)
        a.bus.compare(with: ["elsewhere", "elsewhere"])
        #expect(await a.node.next() == .lost)
        #expect(try await a.report { if case .lost = $0 { true } else { false } }.code == .notPrimary)
        #expect(await a.node.next() == .restored)
    }

    @Test func slowReaderIsDisconnectedByTheServerAndComesBack() async throws {
        let server = try await RedisServerFixture.start("client-output-buffer-limit pubsub 1mb 0 0")
        let a = try RedisBusFixture(1, try server.location())
        #expect(await a.node.next() == .restored)
        let slow = try RedisBus(node: .named("slow"), try server.location(), limits: .quick)
        let (events, continuation) = AsyncStream.makeStream(of: BusEvent.self)
        let release = DispatchSemaphore(value: 0)
        slow.start { event in
            continuation.yield(event)
            // From its first message on, the thread of the bus stands still.
            if case .heard(let frame) = event, frame.time.value == 1 { release.wait() }
        }
        var iterator = events.makeAsyncIterator()
        #expect(await iterator.next() == .restored)
        slow.subscribe([room])
        #expect(await iterator.next() == .subscribed([room]))
        let text = String(repeating: "x", count: 50_000)
        // More than the sockets of both sides hold.
        let count: UInt64 = 400
        for number in 1...count {
            let entry = StoredMessage(
                offset: number, id: .named("c"), from: Member(user: .alice), at: .ms(1), text: text)
            a.bus.publish(
                .entries(RoomEntries(Epoch("e1"), [entry])), to: room, number: number, at: HybridTime(value: number))
            await a.node.expectPublished(number, receivers: nil)
        }
        release.signal()
        var heard: UInt64 = 0
        while case .heard(let frame)? = await iterator.next() {
            heard += 1
            #expect(frame.time.value == heard)
        }
        // The event that ended the loop was `lost`.
        #expect(heard < count)
        #expect(await iterator.next() == .restored)
        slow.stop()
    }

    // MARK: Rights

    private static let password = "hunter2:@/%"
    private static let user = [
        "resetchannels", "&gohub.*", "-@all", "+auth", "+role", "+info", "+ping", "+client|setname", "+subscribe",
        "+unsubscribe",
    ]

    @Test func missingRightIsNamedAndItsReturnNoticed() async throws {
        let server = try await RedisServerFixture.start(
            "user hub on >\(Self.password) \(Self.user.joined(separator: " "))")
        let encoded = "hunter2%3A%40%2F%25"
        let (a, b) = try await nodes(try server.location(user: "hub", password: encoded))
        a.node.publish(1, to: room)
        #expect(await a.node.next() == .lost)
        let lost = try await a.report { if case .lost = $0 { true } else { false } }
        #expect(lost.code == .permission && lost.description.contains("Add +publish to the user's ACL"))
        try await server.command("ACL", "SETUSER", "hub", "+publish")
        #expect(await a.node.next() == .restored)
        a.node.publish(2, to: room)
        #expect(await b.node.heard(1) == [2])
        #expect(!a.reports.contains { $0.description.contains("hunter2") })
    }

    @Test func channelsOfAnotherPrefixAreNamed() async throws {
        let rules = Self.user.map { $0 == "&gohub.*" ? "&other.*" : $0 }.joined(separator: " ")
        let server = try await RedisServerFixture.start("user hub on >secret \(rules) +publish")
        let a = try RedisBusFixture(1, try server.location(user: "hub", password: "secret"))
        #expect(await a.node.next() == .restored)
        a.bus.subscribe([room])
        #expect(await a.node.next() == .lost)
        let lost = try await a.report { if case .lost = $0 { true } else { false } }
        #expect(lost.code == .permission && lost.description.contains("Add the channel pattern &PREFIX.*"))
    }

    @Test func wrongPasswordIsToldOnceAndNeverShown() async throws {
        let server = try await RedisServerFixture.start("user hub on >right &* +@all")
        let a = try RedisBusFixture(1, try server.location(user: "hub", password: "wrong-secret"))
        let failed = try await a.report { _ in true }
        #expect(failed.code == .authentication)
        #expect(
            failed.description
                == "connection to Redis failed; retrying: Redis: the server knows no such user and password, or the user "
                + "is disabled. Correct them in cluster.redis or cluster.redisFile, or the server's ACL.")
        try await server.command("ACL", "SETUSER", "hub", ">wrong-secret")
        #expect(await a.node.next() == .restored)
        #expect(a.reports.count == 2)
        #expect(!a.reports.contains { "\($0)".contains("secret") })
    }

    // MARK: Addresses

    @Test func serverMayStartAfterTheNode() async throws {
        let server = try RedisServerFixture()
        let a = try RedisBusFixture(1, try server.location())
        #expect(try await a.report { _ in true }.code == .unreachable)
        try await server.start()
        #expect(await a.node.next() == .restored)
    }

    @Test func hostWithADeadAddressIsReachedAtAnother() async throws {
        let (dead, server) = (try ServerProcess.freePort(), try await RedisServerFixture.shared())
        let location = try RedisLocation("redis://redis.example:6379")
        let a = try RedisBusFixture(1, location) { _ in
            .success([dead, server.port].flatMap { HostLookup.numeric(.of("127.0.0.1", $0)) ?? [] })
        }
        #expect(await a.node.next() == .restored)
    }

    @Test func unknownHostIsNamed() async throws {
        let a = try RedisBusFixture(1, try RedisLocation("redis://no-such-host.invalid"))
        let failed = try await a.report { _ in true }
        #expect(failed.code == .unreachable)
        #expect(failed.description.contains("no-such-host.invalid can't be looked up"))
    }

    @Test func nameServerThatDoesNotAnswerStopsNothing() async throws {
        var limits = RedisLimits.quick
        (limits.answerTimeout, limits.connectTimeout, limits.sentinelTimeout) = (50, 100, 50)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        let lookup = DispatchSemaphore(value: 0)
        let a = try RedisBusFixture(1, try RedisLocation("redis://redis.example"), limits: limits) { _ in
            continuation.yield()
            lookup.wait()
            return .success([])
        }
        for await _ in stream { break }
        #expect(try await a.report { _ in true }.code == .timeout)
        // Without waiting for the look-up.
        a.node.stop()
        lookup.signal()
    }
}
