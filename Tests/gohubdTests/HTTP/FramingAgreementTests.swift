import GoHubTestSupport
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import GoHubWire
@testable import gohubd

/// Wire and the HTTP server behind it must agree where each request ends, because a difference allows request
/// smuggling. A request that Wire accepts must be one for NIO's decoder too, with the same body, and the following
/// bytes must be the next request.
@Suite struct FramingAgreementTests {
    private static let marker = "GET /marker HTTP/1.1\r\nHost: localhost\r\n\r\n"

    private static let lines = [
        "POST / HTTP/1.1", "GET /a?b HTTP/1.1", "\r\nPUT / HTTP/1.1", "OPTIONS * HTTP/1.1",
        "POST http://localhost/ HTTP/1.1",
        "BREW / HTTP/1.1", "POST / HTTP/1.7", "POST / HTTP/1.0", "HEAD / HTTP/1.1", "DELETE //a/../b HTTP/1.1",
    ]
    private static let fields = [
        "Host: localhost", "Host:localhost", "host: LOCALHOST ", "Content-Length: 5", "Content-Length:5",
        "content-length: 005",
        "Content-Length: 5 \t", "Content-Length: 0", "Content-Length: 5, 5", "Content-Length: +5", "Content-Length : 5",
        "Transfer-Encoding: chunked", "transfer-encoding:chunked", "Transfer-Encoding: Chunked",
        "Transfer-Encoding: chunked ",
        "Transfer-Encoding: \tchunked\t", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: xchunked", "Transfer-Encoding:", "X: a", "X:", "X: é", "X: a\tb", "Connection: close",
        "Connection: keep-alive", "Connection: Upgrade\r\nUpgrade: h2c", "Connection: upgrade\r\nUpgrade: websocket",
        "Expect: 100-continue", "Keep-Alive: 5", "Content-Length: 18446744073709551615", "TE: trailers", "X: a\r\n b",
        "Proxy-Connection: close", "!#$%&'*+-.^_`|~: x",
    ]
    private static let bodies = [
        "", "hello", "0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n",
        "05\r\nhello\r\n000;x\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: y\r\n\r\n", "a\r\n0123456789\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "A\r\n0123456789\r\n0\r\nContent-Length: 3\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5;\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n", "5; a = b\r\nhello\r\n0\r\n\r\n", "0\r\nX:\r\n\r\n",
        "5;=\r\nhello\r\n0\r\n\r\n",
    ]

    /// Wire's framing: the request's bytes, or `nil` if it refuses the request or waits for more.
    private func framed(_ bytes: [UInt8]) -> Int? {
        bytes.withUnsafeBytes { bytes in
            var parser = RequestHeadParser()
            guard case .complete(let head, let length) = parser.parse(bytes) else { return nil }
            var body = MessageBody(of: head)
            guard let count = try? body.take(UnsafeRawBufferPointer(rebasing: bytes[length...])), body.isComplete else {
                return nil
            }
            return length + count
        }
    }

    private struct Decoded: Equatable {
        var uris: [String] = []
        var bodies: [Int] = []
        var ends = 0
        var failed = false
    }

    private func decoded(_ bytes: [UInt8]) throws -> Decoded {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
        var decoded = Decoded()
        do {
            try channel.writeInbound(ByteBuffer(bytes: bytes))
        } catch {
            decoded.failed = true
        }
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                decoded.uris.append(head.uri)
                decoded.bodies.append(0)
            case .body(let buffer): decoded.bodies[decoded.bodies.count - 1] += buffer.readableBytes
            case .end: decoded.ends += 1
            }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        return decoded
    }

    @Test func wireAndServerAgreeOnRequests() throws {
        var (accepted, agreed) = (0, 0)
        for seed in 0..<20_000 as Range<UInt64> {
            var numbers = SeededRandom(seed: seed)
            func pick(_ texts: [String]) -> String { texts[Int(numbers.next() % UInt64(texts.count))] }
            var text = pick(Self.lines) + "\r\n" + pick(Array(Self.fields.prefix(3))) + "\r\n"
            for _ in 0..<numbers.next() % 3 { text += pick(Self.fields) + "\r\n" }
            text += "\r\n" + pick(Self.bodies)
            guard let count = framed(Array((text + Self.marker).utf8)) else { continue }
            accepted += 1
            let request = Array(Array((text + Self.marker).utf8)[..<count])
            let comment = Comment(
                rawValue: "seed \(seed): \(String(decoding: request, as: UTF8.self).debugDescription)")
            let one = try decoded(request)
            // The decoder may refuse more, such as unknown methods. Then the connection ends.
            #expect(one.failed ? one.uris.count <= 1 : one.uris.count == 1 && one.ends == 1, comment)
            // The next request is found too, unless this one ends the connection.
            let two = try decoded(request + Array(Self.marker.utf8))
            guard two.uris.count > 1 else { continue }
            agreed += 1
            #expect(two.uris == one.uris + ["/marker"] && two.bodies == one.bodies + [0], comment)
        }
        #expect(accepted > 1_000 && agreed > 1_000)
    }
}
