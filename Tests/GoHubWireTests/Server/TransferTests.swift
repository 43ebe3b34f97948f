import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Uploads in binary messages, over real sockets.
@Suite struct TransferTests {
    private let files = TestFileStore(fileBytesMax: 4 * 1024 * 1024)
    private let bytes = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 11) }

    private var context: SessionContext {
        SessionContext(limits: .patient, authentication: .development, limiter: .unlimited, files: files)
    }

    private func announce(_ client: WebSocketTestClient, id: String = "u") async throws -> TestEvent {
        try await client.send(
            #"{"op":"upload","id":"\#(id)","room":"lobby","name":"a.bin","size":\#(bytes.count)}"#)
        return try await client.expect("uploadReady")
    }

    /// Sends as much as the credit allows, in parts of 60,000 bytes.
    ///
    /// - Returns: the offset that it reached.
    private func sendParts(
        _ client: WebSocketTestClient, after progress: TestEvent, from start: Int
    ) async throws -> Int {
        let transfer: Int = try #require(progress["transfer"])
        let (stored, credit): (Int, Int) = (try #require(progress["offset"]), try #require(progress["credit"]))
        var offset = max(start, stored)
        while offset < stored + credit {
            let end = min(stored + credit, offset + 60_000)
            let chunk = transferChunk(UInt32(transfer), at: UInt64(offset), bytes[offset..<end])
            try await client.write(WebSocketTestClient.frame(2, chunk))
            offset = end
        }
        return offset
    }

    @Test(arguments: [false, true]) func fileIsUploaded(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, context: context) { fixture in
            let alice = try await fixture.join(as: "alice")
            var progress = try await announce(alice)
            #expect(progress["offset"] == 0)
            var sent = 0
            while progress.op != "uploaded" {
                sent = try await sendParts(alice, after: progress, from: sent)
                progress = try await alice.expectAny(["uploadProgress", "uploaded"])
            }
            let file = try #require(progress.fields["file"] as? [String: Any])
            let id = try #require((file["id"] as? String).flatMap { FileID($0) })
            #expect(file["size"] as? Int == bytes.count)
            #expect(files.bytes(of: id) == bytes)
        }
    }

    @Test func storedBytesSurviveDisconnect() async throws {
        try await ServerFixture.run(context: context) { fixture in
            let alice = try await fixture.join(as: "alice")
            _ = try await sendParts(alice, after: try await announce(alice), from: 0)
            let stored: Int = try #require(try await alice.expect("uploadProgress")["offset"])
            await alice.disconnect(isReset: true)
            let again = try await fixture.join(as: "alice")
            var progress = try await announce(again)
            #expect(try #require(progress["offset"] as Int?) >= stored)
            var sent = 0
            while progress.op != "uploaded" {
                sent = try await sendParts(again, after: progress, from: sent)
                progress = try await again.expectAny(["uploadProgress", "uploaded"])
            }
            let file = try #require(progress.fields["file"] as? [String: Any])
            #expect(files.bytes(of: try #require((file["id"] as? String).flatMap { FileID($0) })) == bytes)
        }
    }

    /// The disk stalls: the hub accepts no more than the credit, and chat continues undisturbed.
    @Test func slowDiskDelaysOnlyUploads() async throws {
        try await ServerFixture.run(context: context) { fixture in
            let alice = try await fixture.join(as: "alice")
            let bob = try await fixture.join(as: "bob")
            files.hold(true)
            let ready = try await announce(alice)
            let credit: Int = try #require(ready["credit"])
            let sent = try await sendParts(alice, after: ready, from: 0)
            #expect(sent == credit)
            try await alice.say("still here", in: "lobby", id: "m")
            #expect(try await bob.expect("message")["text"] == "still here")
            #expect(try await alice.expect("ack")["id"] == "m")
            #expect(files.heldCount == 1, "one piece is on its way, and the others wait")
            files.hold(false)
            let progress = try await alice.expect("uploadProgress")
            #expect(try #require(progress["offset"] as Int?) > 0)
        }
    }

    @Test func leaseForEndedSessionIsReleased() async throws {
        try await ServerFixture.run(context: context) { fixture in
            let alice = try await fixture.join(as: "alice")
            _ = try await announce(alice)
            await alice.disconnect()
            try await fixture.until("the lease is given back") { files.released.count == 1 }
        }
    }
}
