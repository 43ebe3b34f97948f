import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Editing, deleting and reacting, over real sockets.
@Suite struct MessageChangeTests {
    @Test(arguments: [false, true]) func changesReachRoomInOneOrder(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.loops = 2 }) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            try await alice.say("hello", in: "lobby", id: "1")
            _ = try await bob.expect("message")
            try await bob.send(#"{"op":"react","id":"2","room":"lobby","offset":1,"reaction":"👍"}"#)
            #expect(try await bob.expect("ack")["offset"] == 2)
            try await alice.send(#"{"op":"edit","id":"3","room":"lobby","offset":1,"text":"hello, all"}"#)
            let edited = try await bob.expect("edited")
            #expect(edited["offset"] == 3)
            #expect(edited["of"] == 1)
            #expect(edited["text"] == "hello, all")
            let reaction = try await alice.expect("reaction")
            #expect(reaction["reaction"] == "👍")
            #expect(reaction["count"] == 1)
            #expect(reaction["offset"] == 2)
            #expect(try await alice.expect("edited").text == edited.text, "the same bytes for all")
            try await bob.send(#"{"op":"edit","id":"4","room":"lobby","offset":1,"text":"mine"}"#)
            #expect(try await error(bob)["code"] == "forbidden")
            try await alice.send(#"{"op":"delete","id":"5","room":"lobby","offset":1}"#)
            #expect(try await bob.expect("deleted")["of"] == 1)
            try await bob.send(#"{"op":"react","id":"6","room":"lobby","offset":1,"reaction":"👍"}"#)
            #expect(try await error(bob)["code"] == "not_found")
        }
    }

    private func error(_ client: WebSocketTestClient) async throws -> TestEvent {
        while case .text(let text) = try await client.next() {
            let event = try TestEvent(text)
            if event.op == "error" { return event }
        }
        throw NoError()
    }

    private struct NoError: Error {}

    @Test func returningClientGetsChangesWithoutDeletedText() async throws {
        try await ServerFixture.run { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            try await alice.say("kept", in: "lobby", id: "1")
            try await alice.say("secret", in: "lobby", id: "2")
            let epoch: String = try #require(try await alice.expect("ack")["epoch"])
            for _ in 0..<2 { _ = try await bob.expect("message") }
            await bob.disconnect()
            for command in [
                #"{"op":"edit","id":"3","room":"lobby","offset":2,"text":"secret, too"}"#,
                #"{"op":"react","id":"4","room":"lobby","offset":1,"reaction":"👍"}"#,
                #"{"op":"delete","id":"5","room":"lobby","offset":2}"#,
            ] {
                try await alice.send(command)
                _ = try await alice.expect("ack")
            }
            let again = try await fixture.connect()
            try await again.hello("bob")
            try await again.send(#"{"op":"join","id":"j","room":"lobby","since":{"epoch":"\#(epoch)","offset":2}}"#)
            let joined = try await again.expect("joined")
            #expect(joined["recovered"] == true)
            #expect(joined["offset"] == 5)
            let missed: [[String: Any]] = try #require(joined["messages"])
            #expect(missed.map { $0["op"] as? String } == ["edited", "reaction", "deleted"])
            #expect(!joined.text.contains("secret"))
            // A client that joins for the first time gets the current state.
            let carol = try await fixture.connect()
            try await carol.hello("carol")
            try await carol.send(#"{"op":"join","id":"j","room":"lobby","limit":10}"#)
            let all = try await carol.expect("joined")
            #expect(!all.text.contains("secret"))
            #expect(all.text.contains(#""text":"kept","reactions":[{"reaction":"👍","count":1,"by":["alice"]}]"#))
            try await carol.send(#"{"op":"history","id":"h","room":"lobby"}"#)
            let page = try await carol.expect("page")
            #expect(page["offset"] == 5)
            #expect(!page.text.contains("secret"))
        }
    }

    @Test func directChangesReachAllDevicesOfBoth() async throws {
        try await ServerFixture.run(configure: { $0.loops = 3 }) { fixture in
            let alice = try await fixture.connect()
            try await alice.hello("alice")
            let tablet = try await fixture.connect()
            try await tablet.hello("alice", device: "tablet")
            let bob = try await fixture.connect()
            try await bob.hello("bob")
            try await alice.send(#"{"op":"send","id":"1","to":"bob","text":"psst"}"#)
            let message = try await bob.expect("message")
            try await bob.send(#"{"op":"react","id":"2","room":"dm:alice:bob","offset":1,"reaction":"🤫"}"#)
            for client in [alice, tablet, bob] {
                let reaction = try await client.expect("reaction")
                #expect(reaction["room"] == "dm:alice:bob")
                #expect(reaction["epoch"] == (message["epoch"] as String?))
                #expect(reaction["offset"] == 2)
            }
        }
    }
}
