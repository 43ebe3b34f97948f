import Glibc
import GoHubCore
import GoHubTestSupport
import Logging
import Testing

@testable import GoHubWire

/// Starting, sharing clients between loops, draining and stopping.
@Suite struct LifecycleTests {
    // MARK: Several loops

    @Test(arguments: 2...4) func reconnectReplacesGhostOnAnyLoop(loops: Int) async throws {
        try await ServerFixture.run(configure: { $0.loops = loops }) { fixture in
            var ghost = try await fixture.join(as: "alice", device: "phone")
            for _ in 0..<3 * loops {
                let again = try await fixture.connect()
                try await again.hello("alice", device: "phone")
                #expect(try await ghost.expectClose() == 4500)
                #expect(try await again.join("lobby")["count"] == 1)
                ghost = again
            }
            #expect(await fixture.server.statistics().sessions == 1)
        }
    }

    @Test(arguments: [1, 4]) func roomHasOneOrderOverAllLoops(loops: Int) async throws {
        try await ServerFixture.run(configure: { $0.loops = loops }) { fixture in
            var members: [WebSocketTestClient] = []
            for number in 0..<8 { members.append(try await fixture.join(as: "user\(number)")) }
            for (number, member) in members.enumerated() {
                for message in 0..<5 { try await member.say("\(number)/\(message)", in: "lobby", id: "\(message)") }
            }
            var first: [String] = []
            for member in members {
                var seen: [String] = []
                for _ in 0..<40 { seen.append(try await member.expect("message").text) }
                if first.isEmpty { first = seen }
                #expect(seen == first)
            }
        }
    }

    // MARK: Drain

    @Test(arguments: [false, true]) func drainSendsWindowsAndEnds(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            var clients: [WebSocketTestClient] = []
            for number in 0..<6 { clients.append(try await fixture.join(as: "user\(number)")) }
            let port = fixture.port
            #expect(fixture.server.isAccepting)
            async let drained: Void = fixture.server.drain(DrainPlan(closeOver: 500, reconnectOver: 6_000))
            var windows: Set<String> = []
            for client in clients {
                let window = try #require(try await client.expect("drain").fields["reconnectAfterMs"] as? [String: Int])
                let (least, most) = (try #require(window["min"]), try #require(window["max"]))
                #expect(least >= 0 && least < most && most <= 6_000)
                windows.insert("\(least)-\(most)")
            }
            // Each loop spreads its own clients over the whole window.
            #expect(windows.count > 1)
            #expect(!fixture.server.isAccepting)
            #expect(throws: (any Error).self) { try WebSocketTestClient(port: port) }
            for client in clients {
                #expect(try await client.expectClose() == 1012)
                try await client.sendClose(1012)
                #expect(try await client.next() == .end)
            }
            await drained
            #expect(await fixture.server.statistics().sessions == 0)
        }
    }

    @Test func drainOfEmptyServerEnds() async throws {
        try await ServerFixture.run { fixture in
            await fixture.server.drain(DrainPlan(closeOver: 60_000, reconnectOver: 60_000))
            // A second drain has nothing to do.
            await fixture.server.drain(DrainPlan(closeOver: 60_000, reconnectOver: 60_000))
        }
    }

    @Test func helloDuringDrainIsRefused() async throws {
        try await ServerFixture.run { fixture in
            let waiting = try await fixture.connect()
            let joined = try await fixture.join(as: "alice")
            async let drained: Void = fixture.server.drain(DrainPlan(closeOver: 100, reconnectOver: 1_000))
            _ = try await joined.expect("drain")
            try await waiting.send(#"{"op":"hello","user":"bob"}"#)
            #expect(try await waiting.expectClose() == 1012)
            await waiting.disconnect()
            #expect(try await joined.expectClose() == 1012)
            await joined.disconnect()
            await drained
        }
    }

    @Test func stopEndsDrain() async throws {
        try await ServerFixture.run { fixture in
            let client = try await fixture.join(as: "alice")
            async let drained: Void = fixture.server.drain(DrainPlan(closeOver: 600_000, reconnectOver: 600_000))
            _ = try await client.expect("drain")
            await fixture.server.stop()
            await drained
            while try await client.next() != .end {}
        }
    }

    // MARK: Start and stop

    private func makeServer(_ address: String) throws -> HubServer {
        var configuration = ServerConfiguration(listen: try #require(ListenAddress(address)))
        configuration.loops = 2
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return HubServer(
            configuration, context: SessionContext(limits: .patient, authentication: .development, limiter: .unlimited),
            store: InMemoryMessageStore(), verifier: nil, logger: logger)
    }

    @Test func portInUseIsAClearError() async throws {
        try await ServerFixture.run { fixture in
            let second = try makeServer("127.0.0.1:\(fixture.port)")
            let error = try #require(throws: ServerError.self) { try second.start() }
            #expect(error.code == .addressInUse)
            #expect(error.description.contains("127.0.0.1:\(fixture.port)"))
            #expect(error.description.contains("the port is in use"))
            // The first continues, and the second may try again.
            _ = try await fixture.join(as: "alice")
            #expect(throws: ServerError.self) { try second.start() }
        }
    }

    @Test func foreignAddressIsAClearError() throws {
        let error = try #require(throws: ServerError.self) { try makeServer("192.0.2.1:8080").start() }
        #expect(error.code == .addressNotAvailable)
        #expect(error.description.contains("does not have that address"))
    }

    /// In a process of its own, which drops root privileges if it has them.
    @Test(.enabled(if: privilegedPort != nil, "this system lets everybody listen on every port"))
    func privilegedPortIsAClearError() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                if getuid() == 0 { try #require(setgroups(0, nil) == 0 && setgid(65_534) == 0 && setuid(65_534) == 0) }
                let port = try #require(privilegedPort)
                let error = try #require(throws: ServerError.self) {
                    try LifecycleTests().makeServer("127.0.0.1:\(port)").start()
                }
                #expect(error.description.contains("127.0.0.1:\(port)"))
                #expect(error.code == .permissionDenied)
                #expect(error.description.contains("permission denied"))
                #expect(error.description.contains("CAP_NET_BIND_SERVICE"))
            }
        }
    }

    @Test func serverStartsOnce() async throws {
        try await ServerFixture.run { fixture in
            var error = #expect(throws: ServerError.self) { try fixture.server.start() }
            #expect(error?.code == .alreadyStarted)
            await fixture.server.stop()
            error = #expect(throws: ServerError.self) { try fixture.server.start() }
            #expect(error?.code == .alreadyStarted)
            await fixture.server.stop()
        }
    }

    @Test func ofStartsAtTheSameTimeOneStarts() async throws {
        let server = try makeServer("127.0.0.1:0")
        let started = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 { group.addTask { (try? server.start()) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(started == 1)
        #expect(server.isAccepting)
        await server.stop()
        #expect(!server.isAccepting)
    }

    @Test(arguments: [false, true]) func stopClosesEveryConnection(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            let joined = try await fixture.join(as: "alice")
            let silent = try await fixture.client()
            await fixture.server.stop()
            for client in [joined, silent] {
                while try await client.next() != .end {}
            }
            #expect(fixture.server.port == 0)
            #expect(await fixture.server.statistics() == ServerStatistics())
        }
    }

    @Test func stoppedServerAnswersRequests() async throws {
        let store = FaultInjectingStore()
        try await ServerFixture.run(store: store) { fixture in
            store.hold()
            let bob = Member(user: .bob, name: "Bob")
            async let reply = fixture.server.publish("never stored", to: .lobby, from: bob, id: .named("1"))
            try await fixture.until("it is under way") { store.heldCount > 0 }
            await fixture.server.stop()
            guard case .error(_, .unavailable, _, _) = await reply else {
                Issue.record("got \(await reply)")
                return
            }
            store.release()
        }
    }

    /// In a process of its own, where nothing else opens descriptors.
    @Test func startingAndStoppingLeavesNoDescriptors() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                try await LifecycleTests.churn()
                let before = LifecycleTests.openDescriptors()
                for _ in 0..<10 { try await LifecycleTests.churn() }
                let after = LifecycleTests.openDescriptors()
                // Twenty servers were started: one leaked descriptor each would be twenty. The runtime sometimes opens
                // a few of its own.
                if after >= before + 10 {
                    print("descriptors: \(before) before, \(after) after")
                    exit(3)
                }
            }
        }
    }

    private static func churn() async throws {
        for isTLS in [false, true] {
            try await ServerFixture.run(isTLS: isTLS, configure: { $0.loops = 3 }) { fixture in
                var clients: [WebSocketTestClient] = []
                for number in 0..<5 { clients.append(try await fixture.join(as: "user\(number)")) }
                await clients[0].disconnect()
                try await clients[1].sendClose(1000)
                let silent = try await fixture.client()
                await fixture.server.stop()
                for client in clients + [silent] { await client.disconnect() }
            }
        }
    }

    private static func openDescriptors() -> Int {
        guard let folder = opendir("/proc/self/fd") else { return -1 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return count
    }
}

/// The highest privileged port.
private let privilegedPort: UInt16? = {
    var buffer = [UInt8](repeating: 0, count: 16)
    let descriptor = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_RDONLY | O_CLOEXEC)
    // A kernel before 4.11.
    guard descriptor >= 0 else { return 1023 }
    defer { close(descriptor) }
    let count = read(descriptor, &buffer, buffer.count)
    let first = UInt16(String(decoding: buffer[..<max(0, count)].prefix { $0 != 10 }, as: UTF8.self))
    return first.flatMap { $0 > 1 ? $0 - 1 : nil }
}()
