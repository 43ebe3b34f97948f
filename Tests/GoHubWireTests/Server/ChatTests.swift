import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// What users do with a hub, over real sockets, plain and TLS.
@Suite struct ChatTests {
    @Test(arguments: [false, true]) func twoUsersChat(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            try await alice.say("hello", in: "lobby", id: "1")
            let heard = try await bob.expect("message")
            #expect(heard["text"] == "hello")
            #expect(heard["from"] == "alice")
            #expect(heard["offset"] == 1)
            #expect(try await alice.expect("message")["text"] == "hello")
            try await bob.say("hi", in: "lobby", id: "1")
            #expect(try await alice.expect("message")["text"] == "hi")
            #expect(try await bob.expect("ack")["offset"] == 2)
        }
    }

    @Test(arguments: [false, true]) func whisperReachesOnlyItsTwoUsers(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            let carol = try await fixture.join(as: "carol")
            try await alice.say("/w bob psst", in: "lobby", id: "1")
            let whisper = try await bob.expect("message")
            #expect(whisper["text"] == "psst")
            #expect(whisper["room"] == "dm:alice:bob")
            #expect(try await alice.expect("message")["room"] == "dm:alice:bob")
            try await alice.say("all", in: "lobby", id: "2")
            #expect(try await carol.expect("message")["text"] == "all")
        }
    }

    @Test func roomEventsHaveEqualBytesForAll() async throws {
        try await ServerFixture.run { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            let carol = try await fixture.join(as: "carol")
            try await alice.say("same", in: "lobby", id: "1")
            let first = try await bob.expect("message").text
            #expect(try await carol.expect("message").text == first)
            #expect(try await alice.expect("message").text == first)
        }
    }

    /// The commands are read in one turn, so the message waits for the turn's end when the other one is answered.
    @Test(arguments: [#"{"op":"join","id":"2","room":"lobby"}"#, #"{"op":"who","id":"2","room":"lobby"}"#])
    func answerThatShowsTheRoomFollowsItsEvents(_ command: String) async throws {
        try await ServerFixture.run { fixture in
            let alice = try await fixture.join(as: "alice")
            let say = #"{"op":"send","id":"1","room":"lobby","text":"hi"}"#
            try await alice.write([say, command].flatMap { WebSocketTestClient.frame(1, Array($0.utf8)) })
            let wanted: Set<String> = ["message", "joined", "members"]
            let first = try await alice.expectAny(wanted)
            #expect(first.op == "message")
            let answer = try await alice.expectAny(wanted)
            #expect(answer["id"] == "2")
        }
    }

    @Test func missedMessageComesWithNextJoin() async throws {
        try await ServerFixture.run { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            try await alice.say("one", in: "lobby", id: "1")
            let seen = try await bob.expect("message")
            #expect(seen["offset"] == 1)
            await bob.disconnect()
            try await alice.say("two", in: "lobby", id: "2")
            let epoch: String = try #require(try await alice.expect("ack")["epoch"])
            #expect(try await alice.expect("ack")["offset"] == 2)
            let again = try await fixture.connect()
            try await again.hello("bob")
            try await again.send(
                #"{"op":"join","id":"j","room":"lobby","since":{"epoch":"\#(epoch)","offset":1}}"#)
            let joined = try await again.expect("joined")
            #expect(joined["recovered"] == true)
            let messages: [[String: Any]] = try #require(joined["messages"])
            #expect(messages.compactMap { $0["text"] as? String } == ["two"])
        }
    }

    @Test(arguments: [false, true]) func reconnectReplacesGhostSession(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            let ghost = try await fixture.join(as: "alice", device: "phone")
            let other = try await fixture.join(as: "alice", device: "laptop")
            let again = try await fixture.connect()
            try await again.hello("alice", device: "phone")
            #expect(try await ghost.expectClose() == 4500)
            let members = try await again.join("lobby")
            #expect(members["count"] == 1)
            try await other.say("still here", in: "lobby", id: "1")
            #expect(try await again.expect("message")["text"] == "still here")
        }
    }

    @Test func floodingClientGetsRetryAfter() async throws {
        let limiter = RateLimiter(
            RateLimiter.Rates(
                connection: RateLimiter.Rate(1, per: 60_000, burst: 3), user: nil, address: nil, room: nil))
        let context = SessionContext(
            limits: .patient, authentication: .development, limiter: limiter)
        try await ServerFixture.run(context: context) { fixture in
            let alice = try await fixture.join(as: "alice")
            try await alice.say("fits", in: "lobby", id: "1")
            _ = try await alice.expect("ack")
            try await alice.say("too many", in: "lobby", id: "2")
            var event: TestEvent
            repeat {
                guard case .text(let text) = try await alice.next() else { continue }
                event = try TestEvent(text)
                if event.op == "error" {
                    #expect(event["code"] == "rate_limited")
                    let wait: Int = try #require(event["retryAfterMs"])
                    #expect(wait > 0 && wait <= 60_000)
                    return
                }
            } while true
        }
    }
}
