import Dispatch
import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubWire

/// A server with healthy clients that keep sending while others attack it, and with counts of its resources.
///
/// Must run in a process of its own, where nothing else opens descriptors or allocates memory.
struct Siege {
    let fixture: ServerFixture
    let healthy: HealthyGroup

    /// Attacks several times. After the first attack, none may leave anything behind.
    ///
    /// - Parameters:
    ///   - leak: the least that a leak would leave for each attacker.
    ///   - attack: makes that many hostile clients of each kind, ends when the server has disconnected them, and
    ///     returns their number.
    static func withstand(
        isTLS: Bool, limits: Limits = .hasty, rates: RateLimiter.Rates = .unlimited, ofEachKind count: Int = 12,
        leak: HeapGrowth.Leak = .connection,
        configure: (inout ServerConfiguration) -> Void = { _ in },
        _ attack: (_ siege: Siege, _ ofEachKind: Int) async throws -> Int
    ) async throws {
        let context = SessionContext(
            limits: limits, authentication: .development, limiter: RateLimiter(rates))
        let capacity = InMemoryMessageStore.Capacity(messagesPerRoomMax: 20)
        try await ServerFixture.run(
            isTLS: isTLS, context: context, store: InMemoryMessageStore(capacity: capacity),
            configure: { configuration in
                configuration.headTimeout = 1_500
                configuration.messageTimeout = 500
                configuration.closeTimeout = 300
                configure(&configuration)
            }
        ) { fixture in
            let siege = Siege(fixture: fixture, healthy: try await HealthyGroup(fixture))
            // So that everything that is allocated once, or grows up to a bound, exists.
            try await siege.healthy.talk(rounds: 300)
            var growth = HeapGrowth(of: leak)
            while growth.wantsAnotherRound {
                let before = ProcessState.now()
                let hostileCount = try await siege.besieged { try await attack(siege, count) }
                let after = ProcessState.now()
                growth.add(from: before, to: after, culprits: hostileCount)
                guard !growth.isWarmingUp else { continue }
                // The runtime opens files of its own for a moment, perhaps during one of the counts.
                try await fixture.until("all descriptors are given back") {
                    Set(ProcessState.now().descriptors).isSubset(of: before.descriptors)
                }
            }
            #expect(growth.isWithinBounds, "\(growth)")
            #expect(await fixture.server.statistics() == siege.peace)
        }
    }

    /// The server's resources with only the healthy clients connected.
    private var peace: ServerStatistics {
        ServerStatistics(connections: healthy.count, sessions: healthy.count, rooms: 1)
    }

    /// Lets the healthy clients send for as long as an attack lasts.
    private func besieged(_ attack: () async throws -> Int) async throws -> Int {
        let isUnderAttack = Flag()
        async let roundCount = healthy.talk(while: isUnderAttack)
        let result: Result<Int, any Error>
        do { result = .success(try await attack()) } catch { result = .failure(error) }
        isUnderAttack.lower()
        #expect(try await roundCount > 0)
        return try result.get()
    }

    // MARK: The attackers' side

    /// Makes the peers of some attacks, drives them until the server has disconnected all of them, and ends them.
    func assault(_ attacks: [Attack], ofEachKind count: Int) async throws -> Int {
        let acceptedBefore = await acceptedCount()
        let target = Attack.Target(port: fixture.port, tls: fixture.tlsOptions)
        var attackers: [(attack: Attack, peer: HostilePeer)] = []
        for attack in attacks {
            attackers += try await Self.offThePool {
                try (0..<count).map { (attack, try attack.begin(target, $0)) }
            }
        }
        let all = attackers
        try await fixture.until("all were accepted") { await acceptedCount() == acceptedBefore + all.count }
        try await fixture.until("the server is rid of them") {
            try await Self.offThePool {
                for (attack, peer) in all { attack.step(peer) }
            }
            return await fixture.server.statistics() == peace
        }
        try await Self.offThePool {
            for (_, peer) in all { peer.end() }
        }
        return all.count
    }

    func untilPeace() async throws {
        try await fixture.until("the server is rid of them") { await fixture.server.statistics() == peace }
    }

    func acceptedCount() async -> Int {
        var count = 0
        for index in 0..<fixture.loops { count += await fixture.server.ask(index, orElse: 0) { Int($0.lastSerial) } }
        return count
    }

    /// Blocking work, away from the threads that tests and the server's tasks need.
    static func offThePool<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try body() }) }
        }
    }
}

/// Clients in one room that send numbers in turn. Each number is received by all before the next is sent.
final class HealthyGroup: Sendable {
    private let clients: [WebSocketTestClient]
    private let next = Mutex(0)

    var count: Int { clients.count }

    init(_ fixture: ServerFixture) async throws {
        var clients: [WebSocketTestClient] = []
        for number in 0..<3 { clients.append(try await fixture.join("healthy", as: "well\(number)")) }
        self.clients = clients
    }
}

extension HealthyGroup {
    func talk(rounds: Int) async throws {
        for _ in 0..<rounds { try await round() }
    }

    /// - Returns: the number of rounds.
    func talk(while flag: Flag) async throws -> Int {
        var count = 0
        repeat {
            try await round()
            count += 1
        } while flag.isUp
        return count
    }

    /// One client sends the next number. It must be the next message that each of them receives.
    private func round() async throws {
        let number = next.withLock { next in
            defer { next += 1 }
            return next
        }
        try await clients[number % count].say("\(number)", in: "healthy", id: "\(number)")
        for client in clients {
            let message = try await client.expect("message")
            #expect(message["text"] == "\(number)")
            #expect(message["offset"] == number + 1)
        }
    }
}

final class Flag: Sendable {
    private let value = Atomic(true)

    var isUp: Bool { value.load(ordering: .acquiring) }

    func lower() { value.store(false, ordering: .releasing) }
}

extension Limits {
    /// Timeouts in seconds, for tests.
    static var hasty: Limits {
        var limits = Limits()
        limits.helloTimeout = 1_500
        limits.heartbeat = 1_500
        limits.heartbeatGrace = 1_500
        limits.presenceDelay = 50
        return limits
    }
}
