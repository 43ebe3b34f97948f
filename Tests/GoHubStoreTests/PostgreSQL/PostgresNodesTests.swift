import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubStore

/// The registry of nodes, with two hubs' stores on one database.
struct PostgresNodesTests {
    private let fixture: PostgresFixture
    private let stores: [PostgresMessageStore]

    init() async throws {
        let fixture = try await PostgresFixture()
        self.fixture = fixture
        stores = try (0..<2).map { _ in try PostgresMessageStore(url: fixture.url, options: .patient) }
    }

    private func close() async {
        for store in stores { await store.close() }
    }

    /// Lets time pass on the database's clock.
    private func pass(_ time: Milliseconds) throws {
        try fixture.server.execute(
            "UPDATE gohub_node SET lease_end = lease_end - \(time.value)", schema: fixture.schema)
    }

    private static func node(_ name: String, _ life: UInt64) throws -> NodeID {
        try NodeID(name: #require(NodeName(name)), incarnation: #require(NodeIncarnation(life)))
    }

    private let lease = ClusterLimits().lease

    // MARK: A node's life

    @Test func nodeKeepsItsNameByRenewing() async throws {
        let node = try Self.node("a", .max)
        let status = NodeStatus(isDraining: true, isBusHealthy: false, busID: "run")
        let first = try await stores[0].renewed(node)
        #expect(first.outcome == .granted(until: try #require(first.reading.rows.first).leaseEnd))
        #expect(first.reading.rows.map(\.node) == [node])
        #expect(first.reading.rows.map(\.status) == [NodeStatus()])
        try pass(5_000)
        let second = try await stores[0].renewed(node, status)
        guard case .granted(let until) = second.outcome else {
            Issue.record("\(second.outcome)")
            return
        }
        // The whole lease is left, less the time of the statement.
        #expect(until.since(second.reading.now) <= lease)
        #expect(until.since(first.reading.now) >= lease)
        #expect(second.reading.rows.map(\.status) == [status])
        await close()
    }

    @Test func secondLifeOfLiveNameIsRefused() async throws {
        let (first, second) = (try Self.node("a", 1), try Self.node("a", 2))
        let until = try #require(try await stores[0].renewed(first).reading.rows.first).leaseEnd
        let answer = try await stores[1].renewed(second)
        #expect(answer.outcome == .refused(by: first, until: until))
        #expect(answer.reading.rows.map(\.node) == [first])
        // Its goodbye isn't the first one's.
        try #expect(await stores[1].left(second) == false)
        try #expect(await stores[0].left(first) == true)
        try #expect(await stores[1].renewed(second).reading.rows.map(\.node) == [second])
        try #expect(await stores[0].left(first) == false)
        await close()
    }

    @Test func nameIsFreeWhenItsLeaseHasEnded() async throws {
        let (first, second) = (try Self.node("a", 1), try Self.node("a", 2))
        _ = try await stores[0].renewed(first)
        try pass(lease)
        guard case .granted(let until) = try await stores[1].renewed(second).outcome else {
            Issue.record("refused")
            return
        }
        #expect(try await stores[0].renewed(first).outcome == .refused(by: second, until: until))
        await close()
    }

    @Test func lateRenewalSaysSo() async throws {
        let node = try Self.node("a", 1)
        _ = try await stores[0].renewed(node)
        try pass(lease)
        guard case .grantedLate = try await stores[0].renewed(node).outcome else {
            Issue.record("not late")
            return
        }
        guard case .granted = try await stores[0].renewed(node).outcome else {
            Issue.record("still late")
            return
        }
        await close()
    }

    @Test func nodesReadEachOther() async throws {
        let (a, b) = (try Self.node("a", 1), try Self.node("B", 2))
        _ = try await stores[0].renewed(a)
        let answer = try await stores[1].renewed(b)
        // By bytes.
        #expect(answer.reading.rows.map(\.node) == [b, a])
        let key = answer.placementKey
        #expect(try await stores[0].renewed(a).placementKey == key)
        #expect(key.bytes.contains { $0 != 0 })
        let columns = try fixture.server.execute(
            "SELECT format('%s %s %s', version, url, lease_end - started) FROM gohub_node WHERE name = 'B'",
            schema: fixture.schema)
        #expect(columns == "1.2.3 https://b.example \(lease.value)")
        await close()
    }

    @Test func boundCountsLiveNodesOnly() async throws {
        var limits = ClusterLimits()
        limits.nodesMax = 2
        _ = try await stores[0].renewed(try Self.node("a", 1), limits: limits)
        try pass(lease)
        _ = try await stores[0].renewed(try Self.node("b", 1), limits: limits)
        // Its own name is no new row.
        _ = try await stores[0].renewed(try Self.node("b", 1), limits: limits)
        guard case .granted = try await stores[1].renewed(try Self.node("c", 1), limits: limits).outcome else {
            Issue.record("the row of a dead node counts")
            return
        }
        let answer = try await stores[1].renewed(try Self.node("d", 1), limits: limits)
        #expect(answer.outcome == .full)
        #expect(answer.reading.rows.map(\.node.name.value) == ["b", "c"])
        await close()
    }

    // MARK: Several at once

    @Test func oneOfManyGetsTheName() async throws {
        let lives = try (1...20).map { try Self.node("a", $0) }
        let answers = try await withThrowingTaskGroup(of: NodeRenewal.Answer.self) { [stores] group in
            for (index, life) in lives.enumerated() {
                group.addTask { try await stores[index % 2].renewed(life) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let granted = answers.filter { if case .granted = $0.outcome { true } else { false } }
        #expect(granted.count == 1)
        let winner = try #require(granted.first?.reading.rows.first?.node)
        for answer in answers {
            if case .refused(let holder, _) = answer.outcome { #expect(holder == winner) }
        }
        await close()
    }

    /// The statement and the value follow the same rules.
    @Test(arguments: [1, 2, 3] as [UInt64]) func statementDecidesAsTheRegistryInMemory(_ seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        var limits = ClusterLimits()
        // Long against the test, which a busy machine may hold up.
        limits.lease = .seconds(3600)
        limits.nodesMax = 3
        var model = NodeRegistry(limits: limits)
        var clock = StoreTime(milliseconds: 0)
        for step in 0..<150 {
            let node = try Self.node(
                ["a", "b", "c", "d"].randomElement(using: &random) ?? "a", .random(in: 1...2, using: &random))
            switch UInt64.random(in: 0..<10, using: &random) {
            case 0:
                clock = clock + .seconds(7200)
                try pass(.seconds(7200))
            case 1, 2:
                let expected = model.leave(node)
                try #expect(await stores[step % 2].left(node) == expected, "seed \(seed), step \(step)")
            default:
                let status = NodeStatus(
                    isDraining: .random(using: &random),
                    isBusHealthy: [nil, true, false].randomElement(using: &random) ?? nil,
                    busID: [nil, "one"].randomElement(using: &random) ?? nil)
                let expected = model.renew(node, status, now: clock)
                let answer = try await stores[step % 2].renewed(node, status, limits: limits)
                #expect(answer.outcome.kind == expected.kind, "seed \(seed), step \(step)")
                let rows = model.read(now: clock)
                #expect(answer.reading.rows.map(\.node) == rows.rows.map(\.node), "seed \(seed), step \(step)")
                #expect(answer.reading.rows.map(\.status) == rows.rows.map(\.status), "seed \(seed), step \(step)")
                #expect(
                    answer.reading.rows.map { answer.reading.now < $0.leaseEnd }
                        == rows.rows.map { clock < $0.leaseEnd },
                    "seed \(seed), step \(step)")
            }
        }
        await close()
    }

    // MARK: Faults

    @Test func requestsFailInTimeWithoutAServer() async throws {
        await close()
        let port = try PostgresServer.freePort()
        let store = try PostgresMessageStore(
            url: "postgres://u@127.0.0.1:\(port)/d", options: Reports().options { $0.deadline = 400 })
        let node = try Self.node("a", 1)
        await #expect(throws: StoreError.self) { try await store.renewed(node) }
        await #expect(throws: StoreError.self) { try await store.left(node) }
        await store.close()
        let error = await #expect(throws: StoreError.self) { try await store.renewed(node) }
        #expect(error?.code == .closed)
    }
}

extension NodeRegistry.Outcome {
    /// Without times, with the holder's life.
    fileprivate var kind: String {
        switch self {
        case .granted: "granted"
        case .grantedLate: "late"
        case .refused(let holder, _): "refused by \(holder)"
        case .full: "full"
        }
    }
}

extension PostgresMessageStore {
    func renewed(
        _ node: NodeID, _ status: NodeStatus = NodeStatus(), limits: ClusterLimits = ClusterLimits()
    ) async throws -> NodeRenewal.Answer {
        let renewal = NodeRenewal(
            node, status, version: "1.2.3", url: "https://\(node.name.value.lowercased()).example", limits: limits)
        return try await withCheckedContinuation { continuation in
            renew(renewal) { continuation.resume(returning: $0) }
        }.get()
    }

    fileprivate func left(_ node: NodeID) async throws -> Bool {
        try await withCheckedContinuation { continuation in
            leave(node) { continuation.resume(returning: $0) }
        }.get()
    }
}
