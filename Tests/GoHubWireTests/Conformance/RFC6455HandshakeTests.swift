import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// The opening handshake: RFC 6455, sections 4 and 9.1, with the rules of RFC 9110 that it relies on.
@Suite struct RFC6455HandshakeTests {
    enum Answer: Sendable, Equatable {
        /// 101.
        case opens
        /// This status, without a WebSocket.
        case status(Int)
        /// Not a WebSocket handshake: left to the HTTP service, which isn't running here.
        case isPlainHTTP
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let rule: String
        let request: HandshakeText
        let answer: Answer
        /// Header lines of the answer.
        let fields: [String]
        /// The answer has no field of this name.
        let absent: String?
        var testDescription: String { "\(rule) → \(answer)" }

        init(
            _ rule: String, _ request: HandshakeText, _ answer: Answer, _ fields: [String] = [],
            without absent: String? = nil
        ) {
            (self.rule, self.request, self.answer, self.fields, self.absent) = (rule, request, answer, fields, absent)
        }

        /// The expected answer. Over a socket, a request that isn't for the hub gets 404.
        func check(_ response: String?, isOnWire: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
            let comment: Comment = "\(testDescription), got \(response ?? "nothing")"
            guard answer != .isPlainHTTP || isOnWire else {
                #expect(response == nil, comment, sourceLocation: sourceLocation)
                return
            }
            let expected =
                switch answer {
                case .opens: "101"
                case .status(let status): "\(status)"
                case .isPlainHTTP: "404"
                }
            let lines = response?.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init) ?? []
            #expect(response?.status == expected, comment, sourceLocation: sourceLocation)
            for field in fields { #expect(lines.contains(field), comment, sourceLocation: sourceLocation) }
            if let absent {
                #expect(!lines.contains { $0.hasPrefix(absent + ":") }, comment, sourceLocation: sourceLocation)
            }
        }
    }

    private static let right = HandshakeText()
    private static let keyField = "Sec-WebSocket-Key"
    private static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    private static let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    // MARK: The request

    static let requests: [Case] = [
        .init(
            "RFC 6455 §1.3: the example of the RFC", right, .opens,
            ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", accept]),
        .init("RFC 6455 §4.2.1: fields that it doesn't name", right.with("Cookie", "a=b").with("X-Any", ""), .opens),
        .init("RFC 6455 §4.2.1 (1): POST", .init(method: "POST"), .status(405), ["Allow: GET"]),
        .init("RFC 6455 §4.2.1 (1): HEAD", .init(method: "HEAD"), .status(405), ["Allow: GET"]),
        .init("RFC 9110 §9.1: a method in lower case", .init(method: "get"), .status(405), ["Allow: GET"]),
        .init("RFC 9110 §7.8: an Upgrade in HTTP/1.0 is ignored", .init(version: "HTTP/1.0"), .isPlainHTTP),
        .init("RFC 9110 §2.5: a later minor version is 1.1", .init(version: "HTTP/1.2"), .opens, [accept]),
        .init("RFC 9110 §15.6.6: HTTP/2.0", .init(version: "HTTP/2.0"), .status(505)),
        .init("RFC 6455 §3: a query", .init(target: "/v1/ws?a=b%20c&d"), .opens),
        .init("RFC 6455 §3: a fragment", .init(target: "/v1/ws#a"), .status(400)),
        .init("RFC 6455 §4.1 (2): an absolute target", .init(target: "http://localhost/v1/ws"), .opens, [accept]),
        .init("RFC 6455 §4.1 (2): an absolute target of ws:", .init(target: "ws://localhost/v1/ws"), .status(400)),
        .init("RFC 6455 §4.2.1 (2): no Host", right.without("Host"), .status(400)),
        .init("RFC 6455 §4.2.1 (2): two Hosts", right.with("Host", "localhost", "localhost"), .status(400)),
        .init("RFC 6455 §4.2.1 (2): a Host with a port", right.with("Host", "localhost:8080"), .opens),
        .init(
            "RFC 6455 §4.2.1 (7): two Origins", right.with("Origin", "http://localhost", "http://localhost"),
            .status(400)),
        .init("RFC 6455 §4.2.1 (7): no Origin", right, .opens),
        .init("RFC 6455 §4.2.1: a body of known length", right.with("Content-Length", "1"), .status(400)),
        .init("RFC 6455 §4.2.1: a body in chunks", right.with("Transfer-Encoding", "chunked"), .status(400)),
        .init("RFC 9112 §6.3: a body of no bytes is none", right.with("Content-Length", "0"), .opens),
        .init(
            "RFC 9110 §7.8: no 101 before the 100 that is asked for", right.with("Expect", "100-continue"), .status(417)
        ),
        .init("RFC 9110 §10.1.1: another expectation", right.with("Expect", "more"), .status(417)),
    ]

    static let upgrades: [Case] = [
        .init("RFC 6455 §4.2.1 (3): no Upgrade", right.without("Upgrade"), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (3): an empty Upgrade", right.with("Upgrade", ""), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (3): in any case", right.with("Upgrade", "WebSocket"), .opens, ["Upgrade: websocket"]),
        .init("RFC 6455 §4.2.1 (3): in upper case", right.with("Upgrade", "WEBSOCKET"), .opens),
        .init("RFC 9110 §7.8: a list with websocket", right.with("Upgrade", "h2c, websocket"), .opens),
        .init("RFC 9110 §7.8: a list with websocket first", right.with("Upgrade", "websocket,h2c"), .opens),
        .init("RFC 9110 §5.3: a list over two fields", right.with("Upgrade", "h2c", "websocket"), .opens),
        .init("RFC 9110 §5.6.1.2: a list with empty elements", right.with("Upgrade", ", ,websocket ,"), .opens),
        .init("RFC 9110 §7.8: another protocol", right.with("Upgrade", "h2c"), .isPlainHTTP),
        .init("RFC 9110 §7.8: a version of the protocol", right.with("Upgrade", "websocket/13"), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (3): a longer name", right.with("Upgrade", "websockets"), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (3): quoted", right.with("Upgrade", "\"websocket\""), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (3): a Kelvin sign for k", right.with("Upgrade", "websoc\u{212A}et"), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (4): no Connection", right.without("Connection"), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (4): Connection: keep-alive", right.with("Connection", "keep-alive"), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (4): Connection: close", right.with("Connection", "close"), .isPlainHTTP),
        .init("RFC 6455 §4.2.1 (4): keep-alive, Upgrade", right.with("Connection", "keep-alive, Upgrade"), .opens),
        .init("RFC 6455 §4.2.1 (4): Upgrade,keep-alive", right.with("Connection", "Upgrade,keep-alive"), .opens),
        .init("RFC 9110 §7.6.1: in any case", right.with("Connection", "uPGRADE"), .opens),
        .init("RFC 9110 §5.3: over two fields", right.with("Connection", "keep-alive", "Upgrade"), .opens),
        .init("RFC 9110 §7.6.1: a longer option", right.with("Connection", "Upgrade-Soon"), .isPlainHTTP),
        .init("RFC 9110 §7.6.1: options without a comma", right.with("Connection", "keep-alive Upgrade"), .isPlainHTTP),
    ]

    private static let badKeys: [(what: String, value: String)] = [
        ("empty", ""), ("15 bytes", "dGhlIHNhbXBsZSBub25j"), ("17 bytes", "dGhlIHNhbXBsZSBub25jZSE="),
        ("18 bytes", "dGhlIHNhbXBsZSBub25jZSEh"), ("no padding", "dGhlIHNhbXBsZSBub25jZQ"),
        ("half the padding", "dGhlIHNhbXBsZSBub25jZQ="), ("too much padding", "dGhlIHNhbXBsZSBub25jZQ==="),
        ("padding inside", "dGhlIHNhbXBsZSBub25==jZQ"), ("a blank inside", "dGhlIHNhbXBsZSB ub25jZQ="),
        ("the URL's alphabet", "dGhlIHNhbXBsZSBub25-_Q=="), ("beyond ASCII", "dGhlIHNhbXBsZSBub25jé=="),
        ("a list", "\(key), \(key)"),
    ]

    static let keys: [Case] = [
        .init("RFC 6455 §4.2.1 (5): blanks around the key", right.with(keyField, "\t \(key) "), .opens, [accept]),
        // RFC 4648, section 3.5 leaves it open. The answer uses the text as received.
        .init(
            "RFC 6455 §4.2.1 (5): a key with bits to spare", right.with(keyField, "dGhlIHNhbXBsZSBub25jZR=="), .opens,
            ["Sec-WebSocket-Accept: Zgw8jYXtqX5qJr7MJ1Q/MqzeSRI="]),
        .init("RFC 6455 §4.2.1 (5): no key", right.without(keyField), .status(400)),
        .init("RFC 6455 §11.3.1: two keys", right.with(keyField, key, key), .status(400)),
    ]
    static let noKeys: [Case] = badKeys.map {
        .init("RFC 6455 §4.2.1 (5): key, \($0.what)", right.with(keyField, $0.value), .status(400))
    }

    /// Section 4.4: the answer names the supported version.
    static let versions: [Case] = [
        .init("RFC 6455 §4.4: no version", right.without("Sec-WebSocket-Version"), .status(426), upgradeRequired),
        .init(
            "RFC 6455 §11.3.5: the version twice", right.with("Sec-WebSocket-Version", "13", "13"), .status(426),
            upgradeRequired),
    ]
    static let otherVersions: [Case] = badVersions.map {
        .init("RFC 6455 §4.4: version '\($0)'", right.with("Sec-WebSocket-Version", $0), .status(426), upgradeRequired)
    }
    private static let badVersions = [
        "", "0", "8", "12", "14", "113", "013", "13.0", "+13", "0xD", "13;", "13,", "13, 8", "8, 13", "thirteen", "١٣",
    ]

    /// RFC 9110, section 15.5.22 asks for Upgrade, section 7.8 for its mention in Connection.
    private static let upgradeRequired = [
        "Sec-WebSocket-Version: 13", "Upgrade: websocket", "Connection: Upgrade, close",
    ]

    static let subprotocols: [Case] = [
        .init("RFC 6455 §4.2.2 (5): none offered, none told", right, .opens, without: protocolField),
        .init("RFC 6455 §4.2.2 (5): one of several", right.with(protocolField, "a, gohub.v1, b"), .opens, agreed),
        .init("RFC 6455 §11.3.4: over two fields", right.with(protocolField, "a", "gohub.v1"), .opens, agreed),
    ]
    static let noSubprotocols: [Case] = badSubprotocols.map {
        .init("RFC 6455 \($0.rule)", right.with(protocolField, $0.value), .status(400), without: protocolField)
    }
    private static let badSubprotocols: [(rule: String, value: String)] = [
        ("§4.2.2 (5): none that is spoken here", "chat, superchat"), ("§4.2.2 (5): in another case", "GoHub.V1"),
        ("§4.1 (10): empty", ""), ("§4.1 (10): no element", " , ,"), ("§4.1 (10): twice", "gohub.v1, gohub.v1"),
        ("§4.1 (10): a blank inside", "gohub.v1, a b"), ("§4.1 (10): a separator inside", "gohub.v1, a/b"),
        ("§4.1 (10): quoted", "gohub.v1, \"b\""), ("§4.1 (10): beyond ASCII", "gohub.v1, é"),
    ]
    private static let protocolField = "Sec-WebSocket-Protocol"
    private static let agreed = ["Sec-WebSocket-Protocol: gohub.v1"]

    /// Section 9.1: a syntax error fails the connection, an unknown extension is ignored.
    static let extensions: [Case] =
        [.init("RFC 6455 §9.1: none offered, none told", right, .opens, without: extensionsField)]
        + unknownExtensions.map {
            .init("RFC 6455 §9.1: unknown: \($0)", right.with(extensionsField, $0), .opens, without: extensionsField)
        }
    static let noExtensions: [Case] = malformedExtensions.map {
        .init("RFC 6455 §9.1: malformed: \($0)", right.with(extensionsField, $0), .status(400))
    }
    private static let unknownExtensions = [
        "foo", "foo; bar", "foo; bar=1", "foo; bar=\"baz\"", "foo; bar=\"b\\az\"", "foo, bar; baz", " foo ;bar = baz ",
        ",foo,,bar,", "x-webkit-deflate-frame",
    ]
    private static let malformedExtensions = [
        "", ",", ";", "=", "foo;", "foo;;bar", "; foo", "foo; =1", "foo=1", "foo; bar=", "foo; bar=,", "foo; bar=1 2",
        "foo bar", "\"foo\"", "foo; \"bar\"", "foo; bar=\"", "foo; bar=\"baz", "foo; bar=\"\"", "foo; bar=\"b z\"",
        "foo; bar=\"baz\\", "foo; bar='b z'", "foo; bar=é", "f(oo", "permessage-deflate; foo=@", "foo, bar;",
    ]
    private static let extensionsField = "Sec-WebSocket-Extensions"

    static let all: [Case] = [
        requests, upgrades, keys, noKeys, versions, otherVersions, subprotocols, noSubprotocols, extensions,
        noExtensions,
    ].flatMap { $0 }

    @Test(arguments: all) func rule(_ rule: Case) {
        rule.check(rule.request.answer(), isOnWire: false)
    }

    @Test(arguments: [false, true]) func theSameOverASocket(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.deflate = true }) { fixture in
            for rule in Self.all {
                let client = try await fixture.client()
                try await client.write(Array(rule.request.text.utf8))
                rule.check(try await client.readHead(), isOnWire: true)
                await client.disconnect()
            }
        }
    }

    // MARK: The answer

    @Test func acceptedHandshakeHasNoContent() throws {
        // RFC 9110, sections 6.4.1 and 8.6: a 1xx response has neither content nor a length.
        let answer = try #require(HandshakeText().answer())
        #expect(answer.hasSuffix("\r\n\r\n"))
        #expect(!answer.contains("Content-Length") && !answer.contains("Transfer-Encoding"))
    }

    @Test(arguments: ["GET", "HEAD"]) func refusedHEADHasNoContent(method: String) async throws {
        // RFC 9110, section 9.3.2: the fields are those of GET.
        try await ServerFixture.run { fixture in
            let client = try await fixture.client()
            try await client.write(Array("\(method) /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            let answer = try await client.readAnswer()
            #expect(answer.status == "404")
            #expect(answer.contains("\r\nContent-Length: 31\r\n"))
            #expect(answer.hasSuffix(method == "GET" ? "\r\n\r\nThere is nothing at this path.\n" : "\r\n\r\n"))
        }
    }
}
