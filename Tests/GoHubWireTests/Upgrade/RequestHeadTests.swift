import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Parser behaviour beyond the rules of `RFC9110Tests`.
@Suite struct RequestHeadTests {
    /// Parses a head that arrives in parts, as a connection would: each call gets all bytes so far.
    static func parse(
        _ parts: [[UInt8]], limits: RequestHeadParser.Limits = .init()
    ) -> RequestHeadParser.Progress {
        var parser = RequestHeadParser(limits: limits)
        var bytes: [UInt8] = []
        for part in parts {
            bytes += part
            let progress = bytes.withUnsafeBytes { parser.parse($0) }
            guard progress == .needMore else { return progress }
        }
        return .needMore
    }

    /// Parses it whole, byte by byte and in random splits. All results must agree.
    static func parseInAllWays(
        _ text: String, limits: RequestHeadParser.Limits = .init(), sourceLocation: SourceLocation = #_sourceLocation
    ) -> RequestHeadParser.Progress {
        let bytes = Array(text.utf8)
        let whole = parse([bytes], limits: limits)
        #expect(parse(bytes.map { [$0] }, limits: limits) == whole, sourceLocation: sourceLocation)
        for seed in 0..<5 {
            var numbers = SeededRandom(seed: UInt64(seed))
            let parts = numbers.split(bytes, partBytesMax: 20)
            #expect(parse(parts, limits: limits) == whole, "split with seed \(seed)", sourceLocation: sourceLocation)
        }
        return whole
    }

    private func head(_ text: String) throws -> RequestHead {
        guard case .complete(let head, let length) = Self.parseInAllWays(text) else {
            throw Unexpected(progress: Self.parseInAllWays(text))
        }
        #expect(length == text.utf8.count)
        return head
    }

    private struct Unexpected: Error {
        let progress: RequestHeadParser.Progress
    }

    @Test func aRequest() throws {
        let head = try head(
            "GET /v1/ws?a=1&b=?2 HTTP/1.1\r\nHost: chat.example.com:8443\r\nX-One:  a , b\t\r\nx-one:c\r\nEmpty:\r\n\r\n"
        )
        #expect(head.method == "GET")
        #expect(head.target == "/v1/ws?a=1&b=?2")
        #expect(head.path == "/v1/ws")
        #expect(head.query == "a=1&b=?2")
        #expect(head.version == .http11)
        #expect(head.host == "chat.example.com:8443")
        #expect(head.fields.map(\.name) == ["host", "x-one", "x-one", "empty"])
        #expect(head.first("x-one") == "a , b")
        #expect(head.combined("x-one") == "a , b, c")
        #expect(head.list("x-one") == ["a", "b", "c"])
        #expect(head.contains("b", in: "x-one"))
        #expect(!head.contains("a , b", in: "x-one"))
        #expect(head.first("empty") == "")
        #expect(head.list("empty").isEmpty)
        #expect(head.combined("missing") == nil)
        #expect(head.count(of: "x-one") == 2)
    }

    @Test func bytesAfterHeadAreKept() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
        guard case .complete(_, let length) = Self.parse([Array((head + "body").utf8)]) else {
            Issue.record("not complete")
            return
        }
        #expect(length == head.utf8.count)
    }

    private func status(_ text: String, limits: RequestHeadParser.Limits = .init()) -> UpgradeRejection.Status? {
        guard case .failed(let rejection) = Self.parseInAllWays(text, limits: limits) else { return nil }
        return rejection.status
    }

    @Test func tlsOnPlainPortIsDetectedByFirstByte() {
        #expect(Self.parse([[0x16]]) == .failed(.tlsOnPlainPort))
        #expect(Self.parse([[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]]) == .failed(.tlsOnPlainPort))
    }

    @Test(arguments: [0x00, 0x80, 0xFF, 0x20, 0x7F] as [UInt8])
    func junkIsToldByItsFirstByte(_ byte: UInt8) {
        guard case .failed(let rejection) = Self.parse([[byte]]) else {
            Issue.record("\(byte) was taken for a request")
            return
        }
        #expect(rejection.status == .badRequest)
    }

    @Test func theHeadIsBounded() {
        let limits = RequestHeadParser.Limits(headBytesMax: 64, requestLineBytesMax: 40, fieldsMax: 3)
        let start = "GET / HTTP/1.1\r\nHost: a\r\n"
        let fits = start + "X: " + String(repeating: "x", count: 32) + "\r\n\r\n"
        #expect(fits.utf8.count == 64)
        #expect(status(fits, limits: limits) == nil)
        #expect(
            status(start + "X: " + String(repeating: "x", count: 33) + "\r\n\r\n", limits: limits) == .fieldsTooLarge)
        // Also without an end of the head.
        #expect(status(start + String(repeating: "x", count: 60), limits: limits) == .fieldsTooLarge)
    }

    @Test func theRequestLineIsBounded() {
        let limits = RequestHeadParser.Limits(headBytesMax: 200, requestLineBytesMax: 40, fieldsMax: 3)
        func line(_ count: Int) -> String { "GET /" + String(repeating: "x", count: count - 14) + " HTTP/1.1" }
        #expect(status(line(40) + "\r\nHost: a\r\n\r\n", limits: limits) == nil)
        #expect(status(line(41) + "\r\nHost: a\r\n\r\n", limits: limits) == .uriTooLong)
        #expect(status(String(repeating: "x", count: 80), limits: limits) == .uriTooLong)
    }

    @Test func theFieldsAreBounded() {
        let limits = RequestHeadParser.Limits(headBytesMax: 200, requestLineBytesMax: 40, fieldsMax: 3)
        #expect(status("GET / HTTP/1.1\r\nHost: a\r\nb:\r\nc:\r\n\r\n", limits: limits) == nil)
        #expect(status("GET / HTTP/1.1\r\nHost: a\r\nb:\r\nc:\r\nd:\r\n", limits: limits) == .fieldsTooLarge)
    }

    @Test func anUnfinishedHeadNeedsMore() {
        for text in ["", "G", "GET / HTTP/1.1\r", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r"] {
            #expect(Self.parseInAllWays(text) == .needMore)
        }
    }
}
