import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Two hubs in one process on one store and one bus, with clients on real sockets.
@Suite(.serialized) struct ClusterTests {
    private struct Cluster {
        var first: ServerFixture
        var second: ServerFixture
        var bus: InMemoryBus
        /// The incarnation of the first hub.
        var node: NodeIncarnation
    }

    /// The second hub waits for a slot of `TestGate` while the first has one, so one test at a time.
    private func run(_ test: (Cluster) async throws -> Void) async throws {
        // Answers in batches, as a database does.
        let (store, bus) = (FaultInjectingStore(InMemoryMessageStore()), InMemoryBus())
        let contexts = (0..<2).map { _ in
            SessionContext(limits: .patient, authentication: .development, limiter: .unlimited)
        }
        let links = contexts.map { ServerBus(bus.link(of: $0.incarnation)) { _ in } }
        try await ServerFixture.run(context: contexts[0], store: store, bus: links[0]) { first in
            try await ServerFixture.run(context: contexts[1], store: store, bus: links[1]) { second in
                let name = try #require(NodeName("peer"))
                for (hub, peer) in [(first, contexts[1]), (second, contexts[0])] {
                    hub.server.update(
                        ClusterView(peers: [name], answering: [peer.incarnation], hasBus: true))
                }
                try await test(
                    Cluster(first: first, second: second, bus: bus, node: contexts[0].incarnation))
            }
        }
    }

    @Test func messagesReachTheClientsOfTheOtherHub() async throws {
        try await run { cluster in
            let alice = try await cluster.first.join(as: "alice")
            let bob = try await cluster.second.join(as: "bob")
            try await alice.say("hello", in: "lobby", id: "1")
            let heard = try await bob.expect("message")
            #expect(heard["text"] == "hello")
            #expect(heard["from"] == "alice")
            #expect(heard["offset"] == 1)
            #expect(try await alice.expect("message")["text"] == "hello")
            try await bob.say("hi", in: "lobby", id: "1")
            let answer = try await alice.expect("message")
            #expect(answer["text"] == "hi")
            #expect(answer["offset"] == 2)
        }
    }

    /// The store never has it.
    @Test func ephemeralMessageReachesTheClientsOfTheOtherHub() async throws {
        try await run { cluster in
            let alice = try await cluster.first.join(as: "alice")
            let bob = try await cluster.second.join(as: "bob")
            try await alice.send(#"{"op":"send","id":"1","room":"lobby","text":"psst","ephemeral":true}"#)
            let heard = try await bob.expect("message")
            #expect(heard["text"] == "psst")
            #expect(heard["ephemeral"] == true)
        }
    }

    @Test func directMessageReachesTheUserOnTheOtherHub() async throws {
        try await run { cluster in
            let alice = try await cluster.first.join(as: "alice")
            let bob = try await cluster.second.join(as: "bob")
            try await alice.say("/w bob psst", in: "lobby", id: "1")
            let heard = try await bob.expect("message")
            #expect(heard["text"] == "psst")
            #expect(heard["room"] == "dm:alice:bob")
        }
    }

    /// 4500, or 1012 if the two sessions began at nearly the same time.
    @Test func deviceHasOneSessionInTheCluster() async throws {
        try await run { cluster in
            let before = try await cluster.first.join(as: "alice", device: "phone")
            let laptop = try await cluster.first.join(as: "alice", device: "laptop")
            let after = try await cluster.second.connect()
            try await after.hello("alice", device: "phone")
            #expect([4500, 1012].contains(try await before.expectClose()))
            // The older session has left its rooms, and the other device stays.
            #expect(await cluster.first.server.statistics().sessions == 1)
            try await after.join("lobby")
            try await after.say("moved", in: "lobby", id: "1")
            #expect(try await laptop.expect("message")["text"] == "moved")
        }
    }

    @Test func usersOfBothHubsArePresent() async throws {
        try await run { cluster in
            let alice = try await cluster.first.join(as: "alice")
            let bob = try await cluster.second.join(as: "bob")
            let news = try await alice.expect("presence")
            #expect(news["count"] == 2)
            for client in [alice, bob] {
                try await cluster.first.until("both users are listed") {
                    try await client.send(#"{"op":"who","id":"w","room":"lobby"}"#)
                    let members = try await client.expect("members")
                    return members["count"] == 2 && members["partial"] != true
                }
            }
            await bob.disconnect()
            #expect(try await alice.expect("presence")["count"] == 1)
        }
    }

    @Test func messagesReachTheOtherHubAfterAnOutage() async throws {
        try await run { cluster in
            let alice = try await cluster.first.join(as: "alice")
            let bob = try await cluster.second.join(as: "bob")
            cluster.bus.reset(cluster.node)
            try await alice.say("one", in: "lobby", id: "1")
            #expect(try await alice.expect("ack")["id"] == "1")
            cluster.bus.reconnect(cluster.node)
            // A message that reveals the one before it.
            try await alice.say("two", in: "lobby", id: "2")
            try await bob.say("three", in: "lobby", id: "3")
            for client in [alice, bob] {
                for offset in 1...3 { #expect(try await client.expect("message")["offset"] == offset) }
            }
        }
    }
}
