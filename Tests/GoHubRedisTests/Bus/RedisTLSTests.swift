import Glibc
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// The bus over a real server with TLS.
@Suite(.timeLimit(.minutes(2)))
struct RedisTLSTests {
    private let room = ClusterTopic.room(.lobby)
    private let certificates: TestCertificates
    /// Ends with the test.
    private let server = Holder()

    private final class Holder: Sendable {
        let value = Mutex<RedisServerFixture?>(nil)
    }

    init() throws {
        certificates = try TestCertificates()
    }

    /// Starts the server of a test, which ends with it.
    ///
    /// - Parameter wantsCertificate: whether clients must present one.
    /// - Returns: the port for TLS.
    private func start(wantsCertificate: Bool = false) async throws -> UInt16 {
        let (port, pair) = (try ServerProcess.freePort(), certificates.server)
        let started = try await RedisServerFixture.start(
            "tls-port \(port)", "tls-cert-file \(pair.chainPath)", "tls-key-file \(pair.keyPath)",
            "tls-ca-cert-file \(certificates.caPath)", "tls-auth-clients \(wantsCertificate ? "yes" : "no")")
        server.value.withLock { $0 = started }
        return port
    }

    private func location(_ port: UInt16, _ options: String, host: String = "127.0.0.1") throws -> RedisLocation {
        try RedisLocation("rediss://\(host):\(port)?\(options)")
    }

    private var ca: String { "ca=\(certificates.caPath)" }

    /// - Returns: the first report of a node that can't connect.
    private func failure(_ location: RedisLocation) async throws -> RedisBusReport {
        let node = try RedisBusFixture(1, location)
        return try await node.report { _ in true }
    }

    @Test(arguments: ClusterBusContract.checks)
    func keepsTheContract(_ check: ClusterBusContract) async throws {
        let port = try await start()
        let server = try #require(server.value.withLock { $0 })
        try await check.run(on: TestRedisBus(server, try location(port, ca)))
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func messagesAreHeard(host: String) async throws {
        let port = try await start()
        let (a, b) = (
            try RedisBusFixture(1, try location(port, ca, host: host)),
            try RedisBusFixture(2, try location(port, ca, host: host))
        )
        for node in [a, b] { #expect(await node.node.next() == .restored) }
        await b.node.subscribe([room])
        // More than many records.
        let text = String(repeating: "x", count: 50_000)
        for number in 1...40 as ClosedRange<UInt64> {
            let entry = StoredMessage(
                offset: number, id: .named("c"), from: Member(user: .alice), at: .ms(1), text: text)
            a.bus.publish(
                .entries(RoomEntries(Epoch("e1"), [entry])), to: room, number: number, at: HybridTime(value: number))
        }
        #expect(await b.node.heard(40) == Array(1...40))
        for number in 1...40 as ClosedRange<UInt64> { await a.node.expectPublished(number, receivers: 1) }
    }

    @Test func lastMessagesAreSentBeforeTheEnd() async throws {
        let port = try await start()
        let (a, b) = (try RedisBusFixture(1, try location(port, ca)), try RedisBusFixture(2, try location(port, ca)))
        for node in [a, b] { #expect(await node.node.next() == .restored) }
        await b.node.subscribe([room])
        for number in 1...500 as ClosedRange<UInt64> { a.node.publish(number, to: room) }
        a.node.stop()
        #expect(await b.node.heard(500) == Array(1...500))
    }

    @Test func certificateOfAnotherAuthorityIsRefused() async throws {
        let port = try await start()
        let others = try TestCertificates(authorityName: "Somebody else")
        let failed = try await failure(try location(port, "ca=\(others.caPath)"))
        #expect(failed.code == .tls)
        #expect(failed.description.contains("No trusted authority has signed the server's certificate"))
    }

    @Test func certificateMustBeForTheHostOrTheNamedOne() async throws {
        let port = try await start()
        func node(_ number: UInt64, _ options: String) throws -> RedisBusFixture {
            try RedisBusFixture(number, try location(port, ca + options, host: "redis.example")) { _ in
                .success(HostLookup.numeric(.of("127.0.0.1", port)) ?? [])
            }
        }
        let wrong = try node(1, "")
        let failed = try await wrong.report { _ in true }
        #expect(failed.code == .tls && failed.description.contains("is not valid for redis.example"))
        let right = try node(2, "&serverName=localhost")
        #expect(await right.node.next() == .restored)
    }

    @Test func certificateOfTheHubIsPresented() async throws {
        let port = try await start(wantsCertificate: true)
        let pair = certificates.client
        let without = try await failure(try location(port, ca))
        #expect(without.code == .tls || without.code == .closed)
        let with = try RedisBusFixture(1, try location(port, ca + "&certificate=\(pair.chainPath)&key=\(pair.keyPath)"))
        #expect(await with.node.next() == .restored)
    }

    /// Redis without TLS waits for the rest of a command.
    @Test func serverWithoutTLSIsNamed() async throws {
        let server = try await RedisServerFixture.shared()
        var limits = RedisLimits.quick
        (limits.answerTimeout, limits.sentinelTimeout, limits.connectTimeout) = (100, 100, 200)
        let node = try RedisBusFixture(1, try location(server.port, ca), limits: limits)
        #expect(try await node.report { _ in true }.description.contains("TLS handshake"))
    }

    @Test func missingFileIsNamedAndItsReturnNoticed() async throws {
        let port = try await start()
        let path = "\(certificates.folder)/later.pem"
        let node = try RedisBusFixture(1, try location(port, "ca=\(path)"))
        let failed = try await node.report { _ in true }
        #expect(failed.code == .tls && failed.description.contains(path))
        #expect(link(certificates.caPath, path) == 0)
        #expect(await node.node.next() == .restored)
    }
}
