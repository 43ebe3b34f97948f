import CGoHubZlib
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// permessage-deflate on live connections (RFC 7692).
@Suite struct CompressionTests {
    private static let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

    private func join(_ fixture: ServerFixture, as user: String) async throws -> WebSocketTestClient {
        let client = try await fixture.client()
        let head = try await client.open(fields: [Self.offer])
        #expect(head.contains("Sec-WebSocket-Extensions: permessage-deflate"))
        try await client.send(#"{"op":"hello","user":"\#(user)","device":"d1"}"#)
        try await client.send(#"{"op":"join","id":"j","room":"lobby"}"#)
        while try await Self.next(client).op != "joined" {}
        return client
    }

    /// The next event, inflated if it is compressed.
    private static func next(_ client: WebSocketTestClient) async throws -> TestEvent {
        switch try await client.next() {
        case .text(let text): return try TestEvent(text)
        case .compressedText(let bytes): return try TestEvent(try inflate(bytes))
        case let other: throw UnexpectedMessage(message: other)
        }
    }

    private struct UnexpectedMessage: Error {
        let message: WebSocketTestClient.Message
    }

    private struct BadStream: Error {}

    /// Inflates with zlib itself, one message with a fresh window.
    private static func inflate(_ compressed: [UInt8]) throws -> String {
        var stream = z_stream()
        guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw BadStream()
        }
        defer { inflateEnd(&stream) }
        var input = compressed + [0x00, 0x00, 0xFF, 0xFF]
        var output = [UInt8](repeating: 0, count: 1 << 20)
        let status = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return CGoHubZlib.inflate(&stream, Z_SYNC_FLUSH)
            }
        }
        guard status == Z_OK, stream.avail_in == 0 else { throw BadStream() }
        return String(decoding: output.prefix(output.count - Int(stream.avail_out)), as: UTF8.self)
    }

    /// The payload of the next `message`, which must be compressed. Events before it may be: `presence` of several
    /// users.
    private static func nextCompressedMessage(_ client: WebSocketTestClient) async throws -> [UInt8] {
        while true {
            switch try await client.next() {
            case .text(let text) where try TestEvent(text).op != "message": continue
            case .compressedText(let bytes):
                if try TestEvent(try inflate(bytes)).op == "message" { return bytes }
            case let other: throw UnexpectedMessage(message: other)
            }
        }
    }

    /// A client's compressed frame.
    private static func compressedFrame(_ text: String) throws -> [UInt8] {
        let deflater = try Deflater(DeflateConfiguration(payloadBytesMin: 1))
        var frame: [UInt8] = []
        try Array(text.utf8).withUnsafeBytes { try deflater.appendFrame($0, opcode: .text, to: &frame) }
        try #require(frame[0] == 0xC1)
        return WebSocketTestClient.frame(1, ClientFrames.payload(ofServerFrame: frame), reserved: 4)
    }

    @Test(arguments: [false, true]) func broadcastReachesCompressedAndPlainClients(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.deflate = true }) { fixture in
            let plain = try await fixture.join(as: "alice")
            var compressed: [WebSocketTestClient] = []
            // On both loops.
            for user in ["bob", "carol", "dave"] { compressed.append(try await join(fixture, as: user)) }
            let text = String(repeating: "the same words again and again, ", count: 50)
            for number in 1...5 {
                try await plain.say("\(number) \(text)", in: "lobby", id: "\(number)")
                let heard = try await plain.expect("message")
                #expect(heard["text"] == "\(number) \(text)")
                for client in compressed {
                    let bytes = try await Self.nextCompressedMessage(client)
                    #expect(try Self.inflate(bytes) == heard.text)
                    #expect(bytes.count < heard.text.utf8.count / 4)
                }
            }
        }
    }

    @Test(arguments: [false, true]) func compressedCommandIsAccepted(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.deflate = true }) { fixture in
            let plain = try await fixture.join(as: "alice")
            let client = try await join(fixture, as: "bob")
            let text = String(repeating: "compressed ", count: 40)
            try await client.write(
                try Self.compressedFrame(#"{"op":"send","id":"1","room":"lobby","text":"\#(text)"}"#))
            #expect(try await plain.expect("message")["text"] == text)
        }
    }

    @Test func decompressionBombIsTooBig() async throws {
        try await ServerFixture.run(configure: { $0.deflate = true }) { fixture in
            let client = try await join(fixture, as: "bob")
            try await client.write(try Self.compressedFrame(String(repeating: " ", count: 10_000_000)))
            #expect(try await client.expectClose() == 1009)
        }
    }

    @Test func damagedCompressedMessageCloses() async throws {
        try await ServerFixture.run(configure: { $0.deflate = true }) { fixture in
            let client = try await join(fixture, as: "bob")
            try await client.write(WebSocketTestClient.frame(1, [0xFF, 0xFF, 0xFF], reserved: 4))
            #expect(try await client.expectClose() == 1007)
        }
    }

    @Test func clientWithoutOfferGetsNoCompression() async throws {
        try await ServerFixture.run(configure: { $0.deflate = true }) { fixture in
            let head = try await fixture.answer()
            #expect(!head.contains("Sec-WebSocket-Extensions"))
        }
        try await ServerFixture.run { fixture in
            let head = try await fixture.answer(fields: [Self.offer])
            #expect(!head.contains("Sec-WebSocket-Extensions"))
        }
    }
}
