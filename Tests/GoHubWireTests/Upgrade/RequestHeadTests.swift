import Testing

@testable import GoHubWire

@Suite struct RequestHeadTests {
    /// Parses a head that comes in parts, as a connection would: with all bytes so far at each call.
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

    /// Whole, byte by byte and in random splits, all of which must agree.
    private func parse(
        _ text: String, limits: RequestHeadParser.Limits = .init(), sourceLocation: SourceLocation = #_sourceLocation
    ) -> RequestHeadParser.Progress {
        let bytes = Array(text.utf8)
        let whole = Self.parse([bytes], limits: limits)
        #expect(Self.parse(bytes.map { [$0] }, limits: limits) == whole, sourceLocation: sourceLocation)
        var numbers = SeededNumbers(seed: 1)
        for _ in 0..<5 {
            let parts = numbers.split(bytes, partBytesMax: 20)
            #expect(Self.parse(parts, limits: limits) == whole, sourceLocation: sourceLocation)
        }
        return whole
    }

    private func head(_ text: String) throws -> RequestHead {
        guard case .complete(let head, let length) = parse(text) else {
            throw Unexpected(progress: parse(text))
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

    @Test func whatFollowsTheHeadIsLeft() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
        guard case .complete(_, let length) = Self.parse([Array((head + "body").utf8)]) else {
            Issue.record("not complete")
            return
        }
        #expect(length == head.utf8.count)
    }

    @Test(
        arguments: [
            ("GET / HTTP/1.1", "/", nil), ("GET /? HTTP/1.1", "/", ""), ("GET //x/../y HTTP/1.1", "//x/../y", nil),
            ("GET /%2e%2E?x HTTP/1.1", "/%2e%2E", "x"), ("OPTIONS * HTTP/1.1", "*", nil),
            ("GET http://a HTTP/1.1", "/", nil), ("GET HTTP://A/b?c HTTP/1.1", "/b", "c"),
            ("GET https://a?c HTTP/1.1", "/", "c"), ("GET / HTTP/1.7", "/", nil), ("GET / HTTP/1.0", "/", nil),
        ] as [(String, String, String?)])
    func targets(_ line: String, _ path: String, _ query: String?) throws {
        let head = try head("\(line)\r\nHost: a\r\n\r\n")
        #expect(head.path == path)
        #expect(head.query == query)
        #expect(head.version == (line.hasSuffix("1.0") ? .http10 : .http11))
    }

    @Test func oneEmptyLineBeforeTheRequestIsPutUpWith() throws {
        // RFC 9112, section 2.2.
        #expect(try head("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").path == "/")
        #expect(status("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == .badRequest)
    }

    @Test func http10NeedsNoHost() throws {
        #expect(try head("GET / HTTP/1.0\r\n\r\n").host == nil)
    }

    @Test func bytesBeyondASCIIMayStandInValues() throws {
        // RFC 9110, section 5.5 (obs-text).
        #expect(try head("GET / HTTP/1.1\r\nHost: a\r\nX: é\r\n\r\n").first("x") == "é")
    }

    private func status(_ text: String, limits: RequestHeadParser.Limits = .init()) -> UpgradeRejection.Status? {
        guard case .failed(let rejection) = parse(text, limits: limits) else { return nil }
        return rejection.status
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let section: String
        let what: String
        let text: String
        let status: UpgradeRejection.Status
        var testDescription: String { "\(section): \(what)" }

        init(_ section: String, _ what: String, _ text: String, _ status: UpgradeRejection.Status = .badRequest) {
            (self.section, self.what, self.text, self.status) = (section, what, text, status)
        }

        /// With a request line and a Host that are right.
        static func fields(
            _ section: String, _ what: String, _ fields: String, _ status: UpgradeRejection.Status = .badRequest
        ) -> Refusal {
            Refusal(section, what, "POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n", status)
        }
    }

    static let refusals: [Refusal] = [
        .init("RFC 9112 2.2", "bare LF after the first line", "GET / HTTP/1.1\nHost: a\n\n"),
        .init("RFC 9112 2.2", "bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n"),
        .init("RFC 9112 2.2", "bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
        .init("RFC 9112 2.2", "LF first", "\nGET / HTTP/1.1\r\n"),
        .init("RFC 9112 2.2", "blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        .fields("RFC 9112 2.2", "bare CR in a value", "X: a\rb"),
        .init("RFC 9112 2.3", "HTTP/0.9, told by its line", "GET /\r\n"),
        .init("RFC 9112 2.3", "lower-case version", "GET / http/1.1\r\n"),
        .init("RFC 9112 2.3", "version of two digits", "GET / HTTP/1.11\r\n"),
        .init("RFC 9112 2.3", "no version", "GET / \r\n"),
        .init("RFC 9110 15.6.6", "HTTP/2.0", "GET / HTTP/2.0\r\n", .versionNotSupported),
        .init("RFC 9110 15.6.6", "HTTP/0.9 as a version", "GET / HTTP/0.9\r\n", .versionNotSupported),
        .init("RFC 9113 3.4", "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .versionNotSupported),
        .init("RFC 9112 3", "two spaces", "GET  / HTTP/1.1\r\n"),
        .init("RFC 9112 3", "a tab", "GET\t/ HTTP/1.1\r\n"),
        .init("RFC 9112 3", "trailing space", "GET / HTTP/1.1 \r\n"),
        .init("RFC 9112 3", "leading space", " GET / HTTP/1.1\r\n"),
        .init("RFC 9112 3.1", "method not a token", "G\u{1}T / HTTP/1.1\r\n"),
        .init("RFC 9112 3.1", "method in brackets", "(GET) / HTTP/1.1\r\n"),
        .init("RFC 9112 3.2", "fragment", "GET /#a HTTP/1.1\r\n"),
        .init("RFC 9112 3.2", "NUL in the target", "GET /\u{0} HTTP/1.1\r\n"),
        .init("RFC 9112 3.2", "target beyond ASCII", "GET /é HTTP/1.1\r\n"),
        .init("RFC 9112 3.2", "relative target", "GET a HTTP/1.1\r\n"),
        .init("RFC 9112 3.2", "another scheme", "GET ftp://a/ HTTP/1.1\r\n"),
        .init("RFC 9112 3.2.2", "user information", "GET http://u@a/ HTTP/1.1\r\n"),
        .init("RFC 9112 3.2.2", "no authority", "GET http:///a HTTP/1.1\r\n"),
        .init("RFC 9112 3.2.2", "target and Host differ", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("RFC 9110 9.3.6", "CONNECT", "CONNECT a:80 HTTP/1.1\r\n", .notImplemented),
        .init("RFC 9112 3.2.4", "star without OPTIONS", "GET * HTTP/1.1\r\n"),
        .init("RFC 9112 3.2", "no Host", "GET / HTTP/1.1\r\n\r\n"),
        .fields("RFC 9112 3.2", "two Hosts", "Host: a"),
        .init("RFC 9112 3.2", "empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        .init("RFC 9112 3.2", "Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        .init("RFC 9112 3.2", "Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
        .init("RFC 9112 3.2", "Host with a port out of range", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
        .init("RFC 9112 3.2", "Host with an unclosed bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        .init("RFC 9112 3.2", "Host with text after its address", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n"),
        .fields("RFC 9112 5", "no colon", "Field"),
        .fields("RFC 9112 5", "no name", ": value"),
        .fields("RFC 9112 5.1", "blank before the colon", "Content-Length : 5"),
        .fields("RFC 9112 5.1", "tab before the colon", "Content-Length\t: 5"),
        .fields("RFC 9110 5.1", "name not a token", "Na(me: x"),
        .fields("RFC 9110 5.1", "name beyond ASCII", "Nämé: x"),
        .fields("RFC 9112 5.2", "folded line", "X: a\r\n b"),
        .fields("RFC 9112 5.2", "line folded by a tab", "X: a\r\n\tb"),
        .fields("RFC 9110 5.5", "NUL in a value", "X: a\u{0}b"),
        .fields("RFC 9110 5.5", "DEL in a value", "X: a\u{7F}b"),
        .fields("RFC 9110 5.5", "escape in a value", "X: \u{1B}[31m"),
        .fields("RFC 9112 6.3", "two lengths", "Content-Length: 5\r\nContent-Length: 6"),
        .fields("RFC 9112 6.3", "the same length twice", "Content-Length: 5\r\nContent-Length: 5"),
        .fields("RFC 9112 6.3", "length list", "Content-Length: 5, 5"),
        .fields("RFC 9112 6.3", "length with a sign", "Content-Length: +5"),
        .fields("RFC 9112 6.3", "hexadecimal length", "Content-Length: 0x5"),
        .fields("RFC 9112 6.3", "empty length", "Content-Length:"),
        .fields("RFC 9112 6.3", "length out of range", "Content-Length: 99999999999999999999"),
        .fields("RFC 9112 6.3", "length and coding", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        .fields("RFC 9112 6.1", "unknown coding", "Transfer-Encoding: gzip", .notImplemented),
        .fields("RFC 9112 6.1", "two codings", "Transfer-Encoding: gzip, chunked", .notImplemented),
        .fields(
            "RFC 9112 6.1", "chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .notImplemented
        ),
        .fields("RFC 9112 6.1", "chunked with a Kelvin sign", "Transfer-Encoding: chun\u{212A}ed", .notImplemented),
        .init("RFC 9112 6.1", "coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ]

    @Test(arguments: refusals)
    func refused(_ refusal: Refusal) {
        #expect(status(refusal.text) == refusal.status)
    }

    @Test func tlsOnAPlainPortIsToldByItsFirstByte() {
        #expect(Self.parse([[0x16]]) == .failed(.tlsOnPlainPort))
        #expect(Self.parse([[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]]) == .failed(.tlsOnPlainPort))
    }

    @Test func http2PriorKnowledgeIsRecognised() {
        #expect(parse("PRI * HTTP/2.0\r\n") == .failed(.http2PriorKnowledge))
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
        // Also without an end in sight.
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
            #expect(parse(text) == .needMore)
        }
    }
}
