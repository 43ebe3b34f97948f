import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// Two servers and three Sentinels, which make the replica the primary.
@Suite(.timeLimit(.minutes(3)))
struct SentinelFailoverTests {
    private let room = ClusterTopic.room(.lobby)

    private struct Setup {
        let primary: RedisServerFixture
        let replica: RedisServerFixture
        let sentinels: [RedisServerFixture]

        static func start() async throws -> Setup {
            let primary = try await RedisServerFixture.start()
            let replica = try await RedisServerFixture.start("replicaof 127.0.0.1 \(primary.port)")
            var sentinels: [RedisServerFixture] = []
            for _ in 0..<3 {
                sentinels.append(
                    try await .start(
                        "sentinel monitor main 127.0.0.1 \(primary.port) 2",
                        "sentinel down-after-milliseconds main 500", "sentinel failover-timeout main 5000",
                        kind: .sentinel))
            }
            let setup = Setup(primary: primary, replica: replica, sentinels: sentinels)
            try await setup.waitUntilReady()
            return setup
        }

        /// Waits until all Sentinels know each other and a replica that has the primary's data.
        private func waitUntilReady() async throws {
            for sentinel in sentinels {
                while true {
                    let primary = Self.fields(try await sentinel.command("SENTINEL", "MASTER", "main"))
                    let replicas = try await sentinel.command("SENTINEL", "REPLICAS", "main").elements ?? []
                    let isLinked = replicas.first.map { Self.fields($0)["master-link-status"] == "ok" } ?? false
                    if primary["num-other-sentinels"] == "2", isLinked { break }
                    // Ends with the test's time limit.
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
        }

        private static func fields(_ reply: RESPValue) -> [String: String] {
            let words = (reply.elements ?? []).map { $0.text ?? "" }
            return Dictionary(
                stride(from: 0, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) },
                uniquingKeysWith: { first, _ in first })
        }

        var location: RedisLocation {
            get throws {
                let list = sentinels.map(\.address.description).joined(separator: ",")
                return try RedisLocation("redis+sentinel://\(list)/main")
            }
        }
    }

    private func nodes(_ setup: Setup) async throws -> [RedisBusFixture] {
        let nodes = try [1, 2].map { try RedisBusFixture($0, try setup.location) }
        for node in nodes {
            #expect(await node.node.next() == .restored)
            #expect(node.bus.status.server == setup.primary.address)
        }
        return nodes
    }

    private func expectLink(of nodes: [RedisBusFixture], with server: RedisServerFixture) async {
        for node in nodes {
            #expect(await node.node.next() == .lost)
            while node.bus.status.server != server.address || !node.bus.status.isUp {
                guard await node.node.next(where: { $0 == .restored }) != nil else { return }
            }
        }
        // A node whose link came back at the old primary for a moment reads of it first.
        for node in nodes { node.bus.subscribe([room]) }
        for node in nodes { #expect(await node.node.next { $0 == .subscribed([room]) } != nil) }
        nodes[0].node.publish(1, to: room)
        #expect(await nodes[1].node.next { if case .heard = $0 { true } else { false } } != nil)
    }

    @Test func nodesFollowWhenThePrimaryDies() async throws {
        let setup = try await Setup.start()
        let nodes = try await nodes(setup)
        setup.primary.kill()
        await expectLink(of: nodes, with: setup.replica)
    }

    @Test func nodesFollowWhenThePrimaryBecomesAReplica() async throws {
        let setup = try await Setup.start()
        let nodes = try await nodes(setup)
        try await setup.sentinels[0].command("SENTINEL", "FAILOVER", "main")
        await expectLink(of: nodes, with: setup.replica)
    }
}
