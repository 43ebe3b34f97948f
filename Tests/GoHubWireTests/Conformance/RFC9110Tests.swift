import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// The head of a request: RFC 9112, sections 2 to 6, and the parts of RFC 9110 that it uses.
///
/// If these allow to repair or to refuse a request, it is refused: plain HTTP goes on to another server, and two
/// servers that read one request differently allow request smuggling.
@Suite struct RFC9110Tests {
    // MARK: Valid requests

    struct Request: Sendable, CustomTestStringConvertible {
        let rule: String
        let text: String
        var path = "/"
        var query: String?
        var version = RequestHead.Version.http11
        /// The field X.
        var value: String?
        var testDescription: String { rule }
    }

    private static func get(_ fields: String) -> String { "GET / HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n\r\n" }

    private static func line(_ line: String) -> String { "\(line)\r\nHost: localhost\r\n\r\n" }

    static let requests: [Request] = [
        .init(rule: "RFC 9112 §2.1: a request", text: get("Accept: */*")),
        .init(rule: "RFC 9112 §2.2: an empty line first", text: "\r\n" + line("GET / HTTP/1.1")),
        .init(rule: "RFC 9112 §3.2.1: a query", text: line("GET /a?b=?c HTTP/1.1"), path: "/a", query: "b=?c"),
        .init(rule: "RFC 9112 §3.2.1: an empty query", text: line("GET /? HTTP/1.1"), query: ""),
        .init(
            rule: "RFC 9112 §3.2.1: neither dots nor escapes are resolved", text: line("GET //x/../%2e%2E HTTP/1.1"),
            path: "//x/../%2e%2E"),
        .init(
            rule: "RFC 9112 §3.2.2: absolute", text: line("GET http://localhost/a?b HTTP/1.1"), path: "/a", query: "b"),
        .init(
            rule: "RFC 9112 §3.2.2: absolute, in any case", text: line("GET HTTP://LOCALHOST/a HTTP/1.1"), path: "/a"),
        .init(rule: "RFC 9112 §3.2.2: absolute without a path", text: line("GET http://localhost HTTP/1.1")),
        .init(
            rule: "RFC 9112 §3.2.2: absolute with a query only", text: line("GET http://localhost?b HTTP/1.1"),
            query: "b"),
        .init(rule: "RFC 9112 §3.2.4: OPTIONS *", text: line("OPTIONS * HTTP/1.1"), path: "*"),
        .init(rule: "RFC 9110 §9.1: an unknown method", text: line("BREW / HTTP/1.1")),
        .init(rule: "RFC 9110 §2.5: HTTP/1.7 is taken for 1.1", text: line("GET / HTTP/1.7")),
        .init(rule: "RFC 9112 §3.2: HTTP/1.0 needs no Host", text: "GET / HTTP/1.0\r\n\r\n", version: .http10),
        .init(rule: "RFC 9112 §3.2: an IPv6 Host", text: "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
        .init(rule: "RFC 9112 §5: no blank after the colon", text: get("X:a"), value: "a"),
        .init(rule: "RFC 9112 §5: blanks around the value", text: get("X: \t a b \t "), value: "a b"),
        .init(rule: "RFC 9112 §5: an empty value", text: get("X:"), value: ""),
        .init(rule: "RFC 9112 §5: a value of blanks", text: get("X: \t "), value: ""),
        .init(rule: "RFC 9112 §5: colons in the value", text: get("X: a:b:"), value: "a:b:"),
        .init(rule: "RFC 9110 §5.1: a name in any case", text: get("x: a"), value: "a"),
        .init(rule: "RFC 9110 §5.3: a field in several lines", text: get("X: a\r\nY: b\r\nX: c"), value: "a, c"),
        .init(rule: "RFC 9110 §5.5: bytes beyond ASCII", text: get("X: é"), value: "é"),
        .init(rule: "RFC 9110 §5.5: a tab inside", text: get("X: a\tb"), value: "a\tb"),
        .init(rule: "RFC 9110 §5.6.2: every mark of a token", text: get("!#$%&'*+-.^_`|~: b\r\nX: a"), value: "a"),
        .init(rule: "RFC 9112 §6.3: a length", text: get("Content-Length: 5\r\nX: a"), value: "a"),
        .init(rule: "RFC 9110 §8.6: a length with zeroes", text: get("Content-Length: 005\r\nX: a"), value: "a"),
        .init(
            rule: "RFC 9112 §7: coding names in any case", text: get("Transfer-Encoding: Chunked\r\nX: a"), value: "a"),
    ]

    @Test(arguments: requests) func right(_ request: Request) throws {
        guard case .complete(let head, let length) = RequestHeadTests.parseInAllWays(request.text) else {
            Issue.record("\(RequestHeadTests.parseInAllWays(request.text))")
            return
        }
        #expect(length == request.text.utf8.count)
        #expect(head.path == request.path)
        #expect(head.query == request.query)
        #expect(head.version == request.version)
        #expect(head.combined("x") == request.value)
    }

    // MARK: Invalid requests

    struct Refusal: Sendable, CustomTestStringConvertible {
        let rule: String
        let text: String
        let status: UpgradeRejection.Status
        var testDescription: String { "\(rule) → \(status.rawValue)" }

        init(_ rule: String, _ text: String, _ status: UpgradeRejection.Status = .badRequest) {
            (self.rule, self.text, self.status) = (rule, text, status)
        }
    }

    /// Each error is detected before the head is complete, if possible.
    static let requestLines: [Refusal] = [
        .init("RFC 9112 §2.2: LF for CRLF after the first line", "GET / HTTP/1.1\nHost: a\n\n"),
        .init("RFC 9112 §2.2: LF for CRLF after a field", "GET / HTTP/1.1\r\nHost: a\n"),
        .init("RFC 9112 §2.2: LF for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
        .init("RFC 9112 §2.2: LF first", "\nGET / HTTP/1.1\r\n"),
        .init("RFC 9112 §2.2: two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("RFC 9112 §2.2: CR in the first line", "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        .init("RFC 9112 §2.2: CR before CRLF in the first line", "GET / HTTP/1.1\r\r\n"),
        .init("RFC 9112 §2.2: CR in the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n"),
        .init("RFC 9112 §2.2: a blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        .init("RFC 9112 §2.3: HTTP/0.9, told by its line", "GET /\r\n"),
        .init("RFC 9112 §2.3: a version in lower case", "GET / http/1.1\r\n"),
        .init("RFC 9112 §2.3: a minor version of two digits", "GET / HTTP/1.11\r\n"),
        .init("RFC 9112 §2.3: a major version of two digits", "GET / HTTP/11.1\r\n"),
        .init("RFC 9112 §2.3: no minor version", "GET / HTTP/1\r\n"),
        .init("RFC 9112 §2.3: no version", "GET / \r\n"),
        .init("RFC 9112 §2.3: another protocol", "GET / HTTQ/1.1\r\n"),
        .init("RFC 9110 §15.6.6: HTTP/2.0", "GET / HTTP/2.0\r\n", .versionNotSupported),
        .init("RFC 9110 §15.6.6: HTTP/0.9 as a version", "GET / HTTP/0.9\r\n", .versionNotSupported),
        .init("RFC 9113 §3.4: the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .versionNotSupported),
        .init("RFC 9112 §3: two spaces", "GET  / HTTP/1.1\r\n"),
        .init("RFC 9112 §3: two spaces before the version", "GET /  HTTP/1.1\r\n"),
        .init("RFC 9112 §3: a tab", "GET\t/ HTTP/1.1\r\n"),
        .init("RFC 9112 §3: a space at the end", "GET / HTTP/1.1 \r\n"),
        .init("RFC 9112 §3: a space at the start", " GET / HTTP/1.1\r\n"),
        .init("RFC 9112 §3: a space in the target", "GET /a b HTTP/1.1\r\n"),
        .init("RFC 9112 §3: nothing but a version", "HTTP/1.1\r\n"),
        .init("RFC 9112 §3: a response", "HTTP/1.1 200 OK\r\n"),
        .init("RFC 9112 §3.1: a control character in the method", "G\u{1}T / HTTP/1.1\r\n"),
        .init("RFC 9112 §3.1: brackets in the method", "(GET) / HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2: a fragment", "GET /#a HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2: NUL in the target", "GET /\u{0} HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2: DEL in the target", "GET /\u{7F} HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2: a target beyond ASCII", "GET /é HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2: a relative target", "GET a HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2: a target of a query", "GET ?a HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2.2: another scheme", "GET ftp://a/ HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2.2: a scheme alone", "GET http: HTTP/1.1\r\n"),
        .init("RFC 9110 §4.2.4: user information", "GET http://u@a/ HTTP/1.1\r\n"),
        .init("RFC 9110 §4.2.1: no host in the target", "GET http:///a HTTP/1.1\r\n"),
        .init("RFC 9110 §4.2.1: a port that is none", "GET http://a:b/ HTTP/1.1\r\n"),
        .init("RFC 9112 §3.2.2: the target's host isn't Host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        .init("RFC 9112 §3.2.2: absolute, and no Host", "GET http://a/ HTTP/1.1\r\n\r\n"),
        .init("RFC 9112 §3.2.3: CONNECT", "CONNECT a:80 HTTP/1.1\r\n", .notImplemented),
        .init("RFC 9112 §3.2.4: * without OPTIONS", "GET * HTTP/1.1\r\n"),
    ]

    private static func host(_ rule: String, _ fields: String) -> Refusal {
        .init("RFC 9112 §3.2: \(rule)", "GET / HTTP/1.1\r\n\(fields)\r\n\r\n")
    }

    static let hosts: [Refusal] = [
        .init("RFC 9112 §3.2: no Host", "GET / HTTP/1.1\r\n\r\n"),
        host("two Hosts", "Host: a\r\nHost: b"), host("the same Host twice", "Host: a\r\nhost: a"),
        host("an empty Host", "Host:"), host("a Host with a path", "Host: a/b"), host("a list of Hosts", "Host: a, b"),
        host("a Host with a scheme", "Host: http://a"), host("user information in Host", "Host: u@a"),
        host("a Host with a blank", "Host: a b"), host("a port out of range", "Host: a:65536"),
        host("a port with a sign", "Host: a:+80"), host("two ports", "Host: a:80:80"),
        host("an unclosed bracket", "Host: [::1"), host("empty brackets", "Host: []"),
        host("text after an address", "Host: [::1]a"), host("an IPv4 address in brackets", "Host: [127.0.0.1]"),
        host("no address in brackets", "Host: [1::2::3]"), host("an address with zeroes", "Host: 127.000.000.001"),
        host("an address with zeroes, and a port", "Host: 127.0.0.01:80"), host("half an address", "Host: 127.1"),
        host("an address out of range", "Host: 127.0.0.256"), host("an address of five numbers", "Host: 127.0.0.1.1"),
        host("an address as a number", "Host: 2130706433"), host("a hexadecimal address", "Host: 0x7f.0x0.0x0.0x1"),
        host("an address with a dot behind it", "Host: 127.0.0.1."), host("a Host beyond ASCII", "Host: é"),
    ]

    private static func field(
        _ rule: String, _ fields: String, _ status: UpgradeRejection.Status = .badRequest
    ) -> Refusal {
        .init(rule, "POST / HTTP/1.1\r\nHost: localhost\r\n\(fields)\r\n\r\n", status)
    }

    static let fields: [Refusal] = [
        field("RFC 9112 §2.2: CR in a value", "X: a\rb"), field("RFC 9112 §2.2: CR at a value's end", "X: a\r"),
        field("RFC 9112 §2.2: CR for CRLF", "X: a\rY: b"), field("RFC 9112 §5: no colon", "Field"),
        field("RFC 9112 §5: no name", ": value"),
        field("RFC 9112 §5.1: a blank before the colon", "Content-Length : 5"),
        field("RFC 9112 §5.1: a tab before the colon", "Content-Length\t: 5"),
        field("RFC 9110 §5.1: a name that is no token", "Na(me: x"),
        field("RFC 9110 §5.1: a blank in a name", "A b: x"),
        field("RFC 9110 §5.1: a name beyond ASCII", "Nämé: x"), field("RFC 9110 §5.1: NUL in a name", "A\u{0}: x"),
        field("RFC 9112 §5.2: a folded line", "X: a\r\n b"), field("RFC 9112 §5.2: folded by a tab", "X: a\r\n\tb"),
        field("RFC 9112 §5.2: folded into nothing", "X: a\r\n "),
        field("RFC 9112 §5.2: a folded Transfer-Encoding", "Transfer-Encoding:\r\n chunked"),
        field("RFC 9110 §5.5: NUL in a value", "X: a\u{0}b"), field("RFC 9110 §5.5: DEL in a value", "X: a\u{7F}b"),
        field("RFC 9110 §5.5: ESC in a value", "X: \u{1B}[31m"), field("RFC 9110 §5.5: VT around a value", "X: \u{B}a"),
    ]

    static let bodies: [Refusal] = [
        field("RFC 9112 §6.3: two lengths", "Content-Length: 5\r\nContent-Length: 6"),
        field("RFC 9110 §8.6: the same length twice", "Content-Length: 5\r\nContent-Length: 5"),
        field("RFC 9110 §8.6: a list of lengths", "Content-Length: 5, 5"),
        field("RFC 9110 §8.6: a length with a sign", "Content-Length: +5"),
        field("RFC 9110 §8.6: a negative length", "Content-Length: -5"),
        field("RFC 9110 §8.6: a hexadecimal length", "Content-Length: 0x5"),
        field("RFC 9110 §8.6: a length with a point", "Content-Length: 5.0"),
        field("RFC 9110 §8.6: a blank in a length", "Content-Length: 5 5"),
        field("RFC 9110 §8.6: an empty length", "Content-Length:"),
        field("RFC 9110 §8.6: digits beyond ASCII", "Content-Length: ５"),
        field("RFC 9110 §8.6: a length out of range", "Content-Length: 99999999999999999999"),
        field("RFC 9112 §6.3: a length and a coding", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        field("RFC 9112 §6.3: a coding and a length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        field("RFC 9112 §6.1: an unknown coding", "Transfer-Encoding: gzip", .notImplemented),
        field("RFC 9112 §6.1: an empty coding", "Transfer-Encoding:", .notImplemented),
        field("RFC 9112 §6.1: identity, which is none any more", "Transfer-Encoding: identity", .notImplemented),
        field("RFC 9112 §6.1: two codings", "Transfer-Encoding: gzip, chunked", .notImplemented),
        field("RFC 9112 §6.1: chunked isn't the last", "Transfer-Encoding: chunked, gzip", .notImplemented),
        field(
            "RFC 9112 §6.1: chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .notImplemented),
        field("RFC 9112 §6.1: a parameter of chunked", "Transfer-Encoding: chunked;a=b", .notImplemented),
        field("RFC 9112 §6.1: quoted", "Transfer-Encoding: \"chunked\"", .notImplemented),
        field("RFC 9112 §6.1: a Kelvin sign for k", "Transfer-Encoding: chun\u{212A}ed", .notImplemented),
        .init("RFC 9112 §6.1: a coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ]

    static let refusals: [Refusal] = requestLines + hosts + fields + bodies

    @Test(arguments: refusals) func wrong(_ refusal: Refusal) {
        guard case .failed(let rejection) = RequestHeadTests.parseInAllWays(refusal.text) else {
            Issue.record("\(RequestHeadTests.parseInAllWays(refusal.text))")
            return
        }
        #expect(rejection.status == refusal.status)
    }

    /// Section 9.6 of RFC 9112: the answer says that the connection ends, and it does.
    @Test(arguments: [false, true]) func theSameOverASocket(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            for refusal in Self.refusals {
                let client = try await fixture.client()
                try await client.write(Array(refusal.text.utf8))
                let answer = try await client.readAnswer()
                #expect(answer.status == "\(refusal.status.rawValue)", "\(refusal.testDescription)")
                #expect(answer.contains("\r\nConnection: close\r\n"), "\(refusal.testDescription)")
                #expect(answer.contains("\r\nDate: "), "RFC 9110 §6.6.1: \(refusal.testDescription)")
                await client.disconnect()
            }
        }
    }

    // MARK: Dates

    /// RFC 9110, section 5.6.7; the other dates are in `HTTPDateTests`.
    @Test func aClockBefore1970GivesTheFirstDateOf1970() {
        let response = UpgradeResponse.reject(.notFound, at: WallTime(milliseconds: -1000))
        let text = String(decoding: response, as: UTF8.self)
        #expect(text.contains("\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"))
    }
}
