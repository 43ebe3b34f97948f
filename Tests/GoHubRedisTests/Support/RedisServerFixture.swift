import Glibc
import GoHubSystem
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// A real Redis server, or a Sentinel, on a port of its own.
final class RedisServerFixture: Sendable {
    enum Kind: Sendable {
        case server
        case sentinel
    }

    let port: UInt16
    private let kind: Kind
    private let configuration: [String]
    private let process: Mutex<ServerProcess?>

    /// The server shared by tests that don't disturb it.
    static func shared() async throws -> RedisServerFixture { try await starting.value }

    private static let starting = Task { try await start() }

    /// Starts a server, and waits until it answers.
    ///
    /// - Parameter configuration: further lines of its file.
    static func start(_ configuration: String..., kind: Kind = .server) async throws -> RedisServerFixture {
        let fixture = try RedisServerFixture(configuration, kind)
        try await fixture.start()
        return fixture
    }

    /// A server that isn't started yet.
    init(_ configuration: [String] = [], _ kind: Kind = .server) throws {
        self.kind = kind
        self.configuration = configuration
        port = try ServerProcess.freePort()
        process = Mutex(nil)
    }

    var address: RedisAddress { .of("127.0.0.1", port) }

    func location(user: String? = nil, password: String? = nil) throws -> RedisLocation {
        try RedisLocation("redis://" + (password.map { "\(user ?? ""):\($0)@" } ?? "") + "127.0.0.1:\(port)")
    }

    // MARK: Start and end

    func start() async throws {
        let started =
            switch kind {
            case .server:
                try ServerProcess(
                    "redis-server", port: port,
                    configuration: ["save \"\"", "appendonly no", "repl-diskless-sync-delay 0"] + configuration)
            case .sentinel: try ServerProcess("redis-sentinel", port: port, configuration: configuration)
            }
        process.withLock { $0 = started }
        // A minute at most, on a busy machine. A server that never starts fails the test with its log.
        for _ in 0..<1_200 {
            if (try? await command("PING")) != nil { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw ServerProcess.Failure(
            description: "the server doesn't start; `make test` installs Debian's package redis-server: \(started.log)")
    }

    /// Kills the server without a word to its clients.
    func kill() { process.withLock { $0.take() }?.end() }

    // MARK: Commands

    /// Runs a command, and waits for its reply.
    @discardableResult
    func command(_ words: String...) async throws -> RESPValue {
        let port = port
        return try await withCheckedThrowingContinuation { continuation in
            // The tests' own threads are few, and this blocks.
            do throws(SystemError) {
                try SystemThread(name: "redis-client") {
                    continuation.resume(with: Result { try RedisClient.run(words, port: port) })
                }.detach()
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// The connections of clients, by their ids, with the names that a hub gives them.
    func clients(named name: String) async throws -> [String] {
        let list = try await command("CLIENT", "LIST").text ?? ""
        return list.split(separator: "\n").compactMap { line -> String? in
            let fields = line.split(separator: " ")
            guard fields.contains("name=\(name)") else { return nil }
            return fields.first { $0.hasPrefix("id=") }.map { String($0.dropFirst(3)) }
        }
    }
}

/// One command on a connection of its own, for tests.
enum RedisClient {
    static func run(_ words: [String], port: UInt16) throws -> RESPValue {
        let descriptor = Loopback.socket()
        defer { close(descriptor) }
        guard Loopback.connect(descriptor, port: port) else {
            throw ServerProcess.Failure(description: "connect: error \(errno)")
        }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var writer = RESPWriter()
        writer.command(words.count)
        for word in words { writer.bulk(word) }
        let sent = writer.withBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == writer.count else { throw ServerProcess.Failure(description: "send: error \(errno)") }
        var reader = RESPReader()
        while try !reader.next() {
            let count = reader.receive { max(0, recv(descriptor, $0.baseAddress, $0.count, 0)) }
            guard count > 0 else { throw ServerProcess.Failure(description: "no reply to \(words[0])") }
        }
        if case .error(let text) = reader.value {
            throw ServerProcess.Failure(description: String(decoding: text, as: UTF8.self))
        }
        return reader.value
    }
}

/// The bus over a real server, under a prefix of its own.
struct TestRedisBus: TestBus {
    let server: RedisServerFixture
    private let location: RedisLocation
    private let prefix: ClusterPrefix

    init(_ server: RedisServerFixture, _ location: RedisLocation) {
        self.server = server
        self.location = location
        prefix = ClusterPrefix("t\(UInt64.random(in: .min ... .max))") ?? .standard
    }

    var countsReceivers: Bool { true }

    func link(of node: NodeID) throws -> any ClusterBus {
        // The prefix tells apart the nodes of tests that share the server.
        guard let name = NodeName("\(prefix)-\(node.name)") else { return try bus(of: node) }
        return try bus(of: NodeID(name: name, incarnation: node.incarnation))
    }

    private func bus(of node: NodeID) throws -> RedisBus {
        try RedisBus(node: node, location, prefix: prefix)
    }

    func breakLink(of node: NodeID) async throws {
        let clients = try await server.clients(named: "gohub-\(prefix)-\(node.name)")
        #expect(clients.count == 2)
        // The node ends one when it has lost the other.
        for client in clients { _ = try? await server.command("CLIENT", "KILL", "ID", client) }
    }
}
