import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Frames, messages and closing: RFC 6455, sections 5 to 8.
@Suite struct RFC6455FrameTests {
    private static let limits = WebSocketReader.Limits(messageBytesMax: 70_000, framesPerMessageMax: 300)

    // MARK: Valid frames

    struct Message: Sendable, CustomTestStringConvertible {
        let rule: String
        let bytes: [UInt8]
        let received: [Received]
        var testDescription: String { rule }

        init(_ rule: String, _ bytes: [UInt8], _ received: Received...) {
            (self.rule, self.bytes, self.received) = (rule, bytes, received)
        }
    }

    private static func zeroes(_ count: Int) -> [UInt8] { .init(repeating: 0, count: count) }

    static let frames: [Message] = [
        .init(
            "RFC 6455 §5.7: a masked text", [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58],
            .text("Hello")),
        .init(
            "RFC 6455 §5.7: a masked pong", [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58],
            .pong(Array("Hello".utf8))),
        .init("RFC 6455 §5.2: a length of 0", ClientFrames.binary([]), .binary([])),
        .init("RFC 6455 §5.2: 125 bytes, in 7 bits", ClientFrames.binary(zeroes(125)), .binary(zeroes(125))),
        .init("RFC 6455 §5.2: 126 bytes, in 16 bits", ClientFrames.binary(zeroes(126)), .binary(zeroes(126))),
        .init("RFC 6455 §5.2: 65,535 bytes, in 16 bits", ClientFrames.binary(zeroes(65_535)), .binary(zeroes(65_535))),
        .init("RFC 6455 §5.2: 65,536 bytes, in 64 bits", ClientFrames.binary(zeroes(65_536)), .binary(zeroes(65_536))),
        .init(
            "RFC 6455 §5.3: a key of zeroes", ClientFrames.frame(1, Array("plain".utf8), key: zeroes(4)), .text("plain")
        ),
        .init(
            "RFC 6455 §5.3: a new key for each frame",
            ClientFrames.frame(1, Array("one, ".utf8), isFinal: false, key: [1, 2, 3, 4])
                + ClientFrames.frame(0, Array("two".utf8), key: [0xFF, 0, 0xFF, 0]), .text("one, two")),
        .init(
            "RFC 6455 §5.4: fragments of 1, 0 and 2 bytes",
            ClientFrames.binary([1], isFinal: false) + ClientFrames.continuation([UInt8](), isFinal: false)
                + ClientFrames.continuation([2, 3]), .binary([1, 2, 3])),
        .init(
            "RFC 6455 §5.4: all fragments empty",
            ClientFrames.text("", isFinal: false) + ClientFrames.continuation(""), .text("")),
        .init(
            "RFC 6455 §5.4: 256 fragments",
            ClientFrames.text("", isFinal: false)
                + (1..<256).flatMap { ClientFrames.continuation("x", isFinal: $0 == 255) },
            .text(String(repeating: "x", count: 255))),
        .init(
            "RFC 6455 §5.4: control frames between fragments",
            ClientFrames.text("a", isFinal: false) + ClientFrames.ping([1])
                + ClientFrames.continuation("b", isFinal: false)
                + ClientFrames.pong([2]) + ClientFrames.continuation("c") + ClientFrames.binary([3]),
            .ping([1]), .pong([2]), .text("abc"), .binary([3])),
        .init(
            "RFC 6455 §5.4: a close between fragments ends it all",
            ClientFrames.text("a", isFinal: false) + ClientFrames.close(1000) + ClientFrames.continuation("b"),
            .close(.normal, "")),
        .init("RFC 6455 §5.5: a ping of 0 bytes", ClientFrames.ping(), .ping([])),
        .init("RFC 6455 §5.5: a ping of 125 bytes", ClientFrames.ping(zeroes(125)), .ping(zeroes(125))),
        .init("RFC 6455 §5.5.2: a ping's payload is any bytes", ClientFrames.ping([0xFF, 0xC0]), .ping([0xFF, 0xC0])),
        .init("RFC 6455 §5.5.3: an unsolicited pong", ClientFrames.pong([1]), .pong([1])),
        .init(
            "RFC 6455 §5.6: binary is any bytes", ClientFrames.binary([0xFF, 0xC0, 0x00]), .binary([0xFF, 0xC0, 0x00])),
        .init("RFC 6455 §7.1.5: a close without a code", ClientFrames.frame(8), .close(.noStatus, "")),
        .init("RFC 6455 §7.1.6: a reason", ClientFrames.close(1001, "tschüß"), .close(.goingAway, "tschüß")),
        .init(
            "RFC 6455 §5.5: a reason of 123 bytes", ClientFrames.close(1000, String(repeating: "r", count: 123)),
            .close(.normal, String(repeating: "r", count: 123))),
        .init(
            "RFC 6455 §5.5.1: nothing is read after a close",
            ClientFrames.close(1000) + ClientFrames.text("a") + [0xFF],
            .close(.normal, "")),
    ]

    private static let codesThatMayBeSent: [UInt16] = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
    ]
    static let closeCodes: [Message] = codesThatMayBeSent.map {
        .init("RFC 6455 §7.4: close code \($0)", ClientFrames.close($0), .close(CloseCode(rawValue: $0), ""))
    }

    private static let texts: [(what: String, text: String)] = [
        ("Greek", "κόσμε"), ("U+0000", "\u{0}"), ("U+007F", "\u{7F}"), ("U+0080", "\u{80}"), ("U+07FF", "\u{7FF}"),
        ("U+0800", "\u{800}"), ("U+D7FF, before the surrogates", "\u{D7FF}"), ("U+E000, after them", "\u{E000}"),
        ("U+FEFF, a byte order mark", "\u{FEFF}a"), ("U+FFFE, no character", "\u{FFFE}"), ("U+FFFF", "\u{FFFF}"),
        ("U+10000", "\u{10000}"), ("U+10FFFF", "\u{10FFFF}"),
    ]
    static let utf8: [Message] = texts.map {
        .init("RFC 6455 §8.1: \($0.what)", ClientFrames.text($0.text), .text($0.text))
    }
    /// A fragment may end within a character, because fragments are no text by themselves (section 5.6).
    static let cutTexts: [Message] = texts.map { what, text in
        let bytes = Array(text.utf8)
        let frames = bytes.enumerated().flatMap { index, byte in
            ClientFrames.frame(index == 0 ? 1 : 0, [byte], isFinal: index == bytes.count - 1)
        }
        return .init("RFC 6455 §5.6: \(what) in fragments of a byte", frames, .text(text))
    }

    @Test(arguments: frames + closeCodes + utf8 + cutTexts) func right(_ message: Message) {
        #expect(Outcome.of(message.bytes, limits: Self.limits) == Outcome(received: message.received))
    }

    // MARK: Violations

    struct Violation: Sendable, CustomTestStringConvertible {
        let rule: String
        let bytes: [UInt8]
        let code: CloseCode
        var testDescription: String { "\(rule) → \(code.rawValue)" }

        init(_ rule: String, _ bytes: [UInt8], _ code: CloseCode = .protocolError) {
            (self.rule, self.bytes, self.code) = (rule, bytes, code)
        }
    }

    static let headers: [Violation] = [
        .init("RFC 6455 §5.1: not masked", ClientFrames.frame(1, [65], isMasked: false)),
        .init("RFC 6455 §5.1: not masked, told by two bytes", [0x81, 0x05]),
        .init("RFC 6455 §5.1: a ping that isn't masked", ClientFrames.frame(9, isMasked: false)),
        .init("RFC 6455 §5.1: a close that isn't masked", ClientFrames.frame(8, isMasked: false)),
        .init("RFC 6455 §5.2: RSV3, told by one byte", [0x91]),
        .init("RFC 6455 §5.2: 16 bits for 0", ClientFrames.frame(2, lengthBits: 16)),
        .init("RFC 6455 §5.2: 16 bits for 125", ClientFrames.frame(2, zeroes(125), lengthBits: 16)),
        .init("RFC 6455 §5.2: 64 bits for 1", ClientFrames.frame(2, [1], lengthBits: 64)),
        .init("RFC 6455 §5.2: 64 bits for 65,535", ClientFrames.header(2, length: 65_535, lengthBits: 64)),
        .init("RFC 6455 §5.2: the highest bit of a length", ClientFrames.header(2, length: 1 << 63)),
        .init("RFC 6455 §5.2: all bits of a length", ClientFrames.header(2, length: .max)),
        .init("RFC 6455 §5.4: a continuation of nothing", ClientFrames.continuation("x")),
        .init("RFC 6455 §5.4: an unfinished continuation of nothing", ClientFrames.continuation("x", isFinal: false)),
        .init(
            "RFC 6455 §5.4: a continuation of a control frame", ClientFrames.ping() + ClientFrames.continuation("x")),
        .init("RFC 6455 §5.4: text inside a message", ClientFrames.text("a", isFinal: false) + ClientFrames.text("b")),
        .init(
            "RFC 6455 §5.4: binary inside a message, by its header",
            ClientFrames.text("a", isFinal: false) + ClientFrames.header(2, length: 5)),
        .init(
            "RFC 6455 §5.4: a fragment that begins a message inside a message",
            ClientFrames.text("a", isFinal: false) + ClientFrames.text("b", isFinal: false)),
        .init(
            "RFC 6455 §5.4: a continuation after the end",
            ClientFrames.text("", isFinal: false) + ClientFrames.continuation("") + ClientFrames.continuation("x")),
        .init("RFC 6455 §5.5.1: a close of one byte", ClientFrames.frame(8, [3])),
    ]

    /// RSV1 to RSV3 have no meaning without an extension.
    static let reservedBits: [Violation] = (UInt8(1)...7).flatMap { bits in
        usedOpcodes.map { opcode -> Violation in
            .init(
                "RFC 6455 §5.2: reserved bits \(bits) on opcode \(opcode)", ClientFrames.frame(opcode, reserved: bits))
        }
    }
    private static let usedOpcodes: [UInt8] = [1, 2, 8, 9, 10]

    private static let reservedOpcodes: [UInt8] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]
    static let opcodes: [Violation] = reservedOpcodes.flatMap { opcode -> [Violation] in
        [
            .init("RFC 6455 §5.2: opcode \(opcode)", ClientFrames.frame(opcode)),
            .init("RFC 6455 §5.2: opcode \(opcode), told by one byte", [0x80 | opcode]),
            .init(
                "RFC 6455 §5.2: opcode \(opcode) inside a message",
                ClientFrames.text("a", isFinal: false) + ClientFrames.frame(opcode)),
        ]
    }

    private static let controlOpcodes: [UInt8] = [8, 9, 10]
    static let controlFrames: [Violation] = controlOpcodes.flatMap { opcode -> [Violation] in
        [
            .init("RFC 6455 §5.5: a fragment of opcode \(opcode)", ClientFrames.frame(opcode, isFinal: false)),
            .init("RFC 6455 §5.5: 126 bytes on opcode \(opcode)", ClientFrames.frame(opcode, zeroes(126))),
            .init("RFC 6455 §5.5: 126 bytes on opcode \(opcode), by its header", [0x80 | opcode, 0xFE]),
            .init("RFC 6455 §5.5: 64 bits of length on opcode \(opcode)", [0x80 | opcode, 0xFF]),
        ]
    }

    private static let codesThatMayNotBeSent: [UInt16] = [
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ]
    static let badCloseCodes: [Violation] = codesThatMayNotBeSent.flatMap { code -> [Violation] in
        [
            .init("RFC 6455 §7.4: close code \(code)", ClientFrames.close(code)),
            .init("RFC 6455 §7.4: close code \(code) with a reason", ClientFrames.close(code, "why")),
        ]
    }

    private static let noTexts: [(what: String, bytes: [UInt8])] = [
        ("FF", [0xFF]), ("FE", [0xFE]), ("a continuation byte alone", [0x80]), ("a first byte alone", [0xC3, 0x28]),
        ("overlong in 2 bytes", [0xC0, 0xAF]), ("C1", [0xC1, 0xBF]), ("overlong in 3 bytes", [0xE0, 0x9F, 0xBF]),
        ("overlong in 4 bytes", [0xF0, 0x8F, 0xBF, 0xBF]), ("the first surrogate", [0xED, 0xA0, 0x80]),
        ("the last surrogate", [0xED, 0xBF, 0xBF]), ("a pair of surrogates", [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80]),
        ("U+110000", [0xF4, 0x90, 0x80, 0x80]), ("F5", [0xF5, 0x80, 0x80, 0x80]),
        ("5 bytes", [0xF8, 0x88, 0x80, 0x80, 0x80]),
        ("the end inside 2 bytes", [0x61, 0xC3]), ("the end inside 3 bytes", [0xE2, 0x82]),
        ("the end inside 4 bytes", [0xF0, 0x9F, 0x98]),
    ]
    static let notUTF8: [Violation] = noTexts.flatMap { what, bytes -> [Violation] in
        [
            .init("RFC 6455 §8.1: \(what)", ClientFrames.frame(1, bytes), .invalidPayload),
            .init(
                "RFC 6455 §8.1: \(what), in the last fragment",
                ClientFrames.text("a", isFinal: false) + ClientFrames.ping() + ClientFrames.frame(0, bytes),
                .invalidPayload),
            .init(
                "RFC 6455 §5.5.1: \(what), in a reason", ClientFrames.frame(8, [0x03, 0xE8] + bytes), .invalidPayload),
        ]
    }
    static let notUTF8InTime: [Violation] = [
        .init(
            "RFC 6455 §8.1: a first fragment that can't be right", ClientFrames.frame(1, [0xC0], isFinal: false),
            .invalidPayload)
    ]

    static let violations: [Violation] = [
        headers, reservedBits, opcodes, controlFrames, badCloseCodes, notUTF8, notUTF8InTime,
    ].flatMap { $0 }

    @Test(arguments: violations) func wrong(_ violation: Violation) {
        // Earlier frames are delivered, later ones are not looked at, and no more bytes are needed to detect it.
        let before = Outcome.of(ClientFrames.text("before") + violation.bytes, limits: Self.limits)
        #expect(before.error == violation.code)
        #expect(before.received.first == .text("before"))
        let after = Outcome.of(
            ClientFrames.text("before") + violation.bytes + ClientFrames.text("after"), limits: Self.limits)
        #expect(after == before)
        #expect(!before.received.contains { if case .close = $0 { true } else { false } })
    }

    /// Section 7.1.7: the code is sent, and the TCP connection ends without waiting for the client's close frame.
    @Test(arguments: [false, true]) func theSameOverASocket(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.closeTimeout = 60_000 }) { fixture in
            for violation in Self.violations {
                let client = try await fixture.connect()
                try await client.write(violation.bytes)
                #expect(try await client.expectClose() == violation.code.rawValue, "\(violation.testDescription)")
                #expect(try await client.next() == .end, "\(violation.testDescription)")
                await client.disconnect()
            }
        }
    }

    // MARK: What the server sends

    /// Section 5.5.1: an endpoint answers a close frame with its code; section 7.1.1: the server ends the TCP
    /// connection.
    @Test func everyCloseCodeComesBack() async throws {
        try await ServerFixture.run(configure: { $0.closeTimeout = 60_000 }) { fixture in
            for code in Self.codesThatMayBeSent {
                let client = try await fixture.connect()
                try await client.write(
                    ClientFrames.close(code, "why") + ClientFrames.text("late") + ClientFrames.ping())
                #expect(try await client.next() == .close(code, ""))
                #expect(try await client.next() == .end)
                await client.disconnect()
            }
        }
    }

    /// Sections 7.4.1 and 7.4.2: 1005, 1006 and 1015 are never sent, nor are reserved codes.
    @Test func closeFramesHaveOnlyValidCodes() {
        for code in UInt16.min...UInt16.max {
            let frame = FrameEncoder.closeFrame(CloseCode(rawValue: code), reason: String(repeating: "é", count: 200))
            guard frame.count > 2 else {
                #expect(!CloseCode(rawValue: code).isValidOnTheWire)
                #expect(frame == [0x88, 0x00])
                continue
            }
            let isAllowed =
                (1000...1014).contains(code) && ![1004, 1005, 1006].contains(code)
                || (3000...4999).contains(code)
            if !isAllowed || frame[0] != 0x88 || frame[1] > 125 || Int(frame[1]) != frame.count - 2 {
                Issue.record("close code \(code): \(frame)")
            }
        }
    }

    /// Section 5.1: a server's frames aren't masked; section 5.2: the length takes the fewest bytes.
    @Test(
        arguments: [
            (0, [0x82, 0x00]), (1, [0x82, 0x01]), (125, [0x82, 0x7D]), (126, [0x82, 0x7E, 0x00, 0x7E]),
            (65_535, [0x82, 0x7E, 0xFF, 0xFF]), (65_536, [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])])
    func headersOfTheServer(_ payloadBytes: Int, _ header: [UInt8]) {
        let frame = FrameEncoder.frame(Self.zeroes(payloadBytes), opcode: .binary)
        #expect(Array(frame.prefix(header.count)) == header)
        #expect(frame.count == header.count + payloadBytes)
    }
}
