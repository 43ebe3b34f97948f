import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Receipts and unread counts over real sockets, with a store that answers at once and one that answers later.
@Suite struct ReceiptTests {
    @Test(arguments: [false, true]) func receiptReachesRoomAndNextJoin(isLater: Bool) async throws {
        try await withServer(isLater) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            try await alice.say("one", in: "lobby", id: "1")
            #expect(try await bob.expect("message")["offset"] == 1)
            try await bob.send(#"{"op":"seen","room":"lobby","offset":2}"#)
            try await bob.send(#"{"op":"seen","room":"lobby","offset":1}"#)
            let told = #"{"op":"receipt","room":"lobby","receipts":[{"user":"bob","delivered":1,"seen":1}]}"#
            #expect(try await alice.expect("receipt").text == told)
            #expect(try await bob.expect("receipt").text == told, "one's other devices learn it so")
            let carol = try await fixture.connect()
            try await carol.hello("carol")
            let joined = try await carol.join("lobby").text
            let both = #"[{"user":"alice","delivered":1,"seen":1},{"user":"bob","delivered":1,"seen":1}]"#
            #expect(joined.hasSuffix(#""receipts":\#(both)}"#))
        }
    }

    @Test(arguments: [false, true]) func roomsReportUnreadCounts(isLater: Bool) async throws {
        try await withServer(isLater) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            for id in 1...3 { try await alice.say("text \(id)", in: "lobby", id: "\(id)") }
            while try await bob.expect("message")["offset"] != 3 {}
            try await bob.send(#"{"op":"seen","room":"lobby","offset":1}"#)
            try await bob.send(#"{"op":"delivered","room":"lobby","offset":3}"#)
            try await alice.send(#"{"op":"send","id":"w","to":"bob","text":"psst"}"#)
            #expect(try await bob.expect("message")["room"] == "dm:alice:bob")
            // Receipts are stored a moment later.
            let room = #""offset":3,"delivered":3,"seen":1,"unread":2,"last":{"offset":3,"id":"3","from":"alice","#
            let conversation = #""offset":1,"delivered":0,"seen":0,"unread":1,"last":{"offset":1,"id":"w","#
            try await fixture.until("the rooms are stored") {
                try await bob.send(#"{"op":"rooms","id":"r"}"#)
                let text = try await bob.expect("rooms").text
                return text.contains(room) && text.contains(conversation) && text.hasSuffix(#""more":false}"#)
            }
        }
    }

    @Test(arguments: [false, true]) func directReceiptReachesBoth(isLater: Bool) async throws {
        try await withServer(isLater) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            try await alice.send(#"{"op":"send","id":"w","to":"bob","text":"psst"}"#)
            #expect(try await bob.expect("message")["offset"] == 1)
            try await bob.send(#"{"op":"seen","room":"dm:alice:bob","offset":1}"#)
            let told = #"{"op":"receipt","room":"dm:alice:bob","receipts":[{"user":"bob","delivered":1,"seen":1}]}"#
            #expect(try await alice.expect("receipt").text == told)
            #expect(try await bob.expect("receipt").text == told)
        }
    }

    /// - Parameter isLater: uses a store that a loop can't call directly.
    private func withServer(_ isLater: Bool, _ test: (ServerFixture) async throws -> Void) async throws {
        let store: any MessageStore = isLater ? FaultInjectingStore() : InMemoryMessageStore()
        try await ServerFixture.run(store: store, test)
    }
}
