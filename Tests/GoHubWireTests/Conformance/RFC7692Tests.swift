import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// permessage-deflate: RFC 7692, sections 5 to 7.
@Suite struct RFC7692Tests {
    // MARK: Negotiation

    struct Offer: Sendable, CustomTestStringConvertible {
        let rule: String
        let offers: String
        /// The answer's Sec-WebSocket-Extensions, or `nil` to continue without compression.
        let answer: String?
        /// Of the server, by its configuration.
        let windowBits: Int
        var testDescription: String { "\(rule): \(offers)" }

        init(_ rule: String, _ offers: String, _ answer: String?, windowBits: Int = 15) {
            (self.rule, self.offers, self.answer, self.windowBits) = (rule, offers, answer, windowBits)
        }
    }

    /// Sections 7.1.1.1 and 7.1.1.2 allow a server to put both into its answer, requested or not.
    private static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    static let offers: [Offer] = [
        .init("RFC 7692 §7.1: no parameter", "permessage-deflate", plain),
        .init("RFC 7692 §7.1.1.1", "permessage-deflate; server_no_context_takeover", plain),
        .init("RFC 7692 §7.1.1.2", "permessage-deflate; client_no_context_takeover", plain),
        .init(
            "RFC 7692 §7.1.1: both, in the other order",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover", plain),
        .init("RFC 7692 §7.1.2.2: without a value", "permessage-deflate; client_max_window_bits", plain),
        .init("RFC 7692 §7.1.2.2: the least", "permessage-deflate; client_max_window_bits=8", plain),
        .init("RFC 7692 §7.1.2.2: the most", "permessage-deflate; client_max_window_bits=15", plain),
        .init("RFC 7692 §7.1.2.1: the most", "permessage-deflate; server_max_window_bits=15", told(15)),
        .init(
            "RFC 7692 §7.1.2.1: just ours", "permessage-deflate; server_max_window_bits=12", told(12), windowBits: 12),
        .init(
            "RFC 7692 §7.1.2.1: ours is less", "permessage-deflate; server_max_window_bits=14", told(11), windowBits: 11
        ),
        .init(
            "RFC 7692 §7.1.2.1: zlib's least", "permessage-deflate; server_max_window_bits=9", told(9), windowBits: 9),
        .init("RFC 7692 §7.1.2.1: not asked for, not told", "permessage-deflate", plain, windowBits: 11),
        .init(
            "RFC 7692 §7.1: all four",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; "
                + "client_max_window_bits=9", told(10), windowBits: 10),
        .init("RFC 6455 §9.1: a quoted value", "permessage-deflate; server_max_window_bits=\"15\"", told(15)),
        .init("RFC 6455 §9.1: an escape in it", "permessage-deflate; server_max_window_bits=\"1\\5\"", told(15)),
        .init("RFC 5234 §2.3: in any case", "Permessage-Deflate; Client_Max_Window_Bits", plain),
        .init(
            "RFC 7692 §5.1: the first that can be met",
            "permessage-deflate; server_max_window_bits=10, permessage-deflate", plain),
        .init(
            "RFC 7692 §5.1: in the client's order", "permessage-deflate; server_max_window_bits=15, permessage-deflate",
            told(15)),
        .init("RFC 7692 §5.1: after another extension", "foo; bar=\"baz\", permessage-deflate", plain),
        .init("RFC 7692 §7.1: after one that is declined", "permessage-deflate; unknown, permessage-deflate", plain),
    ]

    private static func told(_ bits: Int) -> String { plain + "; server_max_window_bits=\(bits)" }

    /// Offers that a server must decline by section 7.1.
    private static let declinedParameters: [(rule: String, parameters: [String])] = [
        ("§7.1: unknown", ["unknown", "unknown=1", "window_bits=10", "server_max_window_bit=10"]),
        (
            "§7.1: repeated",
            [
                "client_max_window_bits; client_max_window_bits", "client_max_window_bits=9; client_max_window_bits=10",
                "server_no_context_takeover; server_no_context_takeover",
                "server_no_context_takeover; SERVER_NO_CONTEXT_TAKEOVER",
                "server_max_window_bits=15; server_max_window_bits=15",
            ]
        ),
        (
            "§7.1.1: a value where there is none",
            ["server_no_context_takeover=1", "client_no_context_takeover=true", "client_no_context_takeover=\"x\""]
        ),
        ("§7.1.2.1: no value", ["server_max_window_bits"]),
        (
            "§7.1.2.1: a value that is none",
            [
                "server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=0",
                "server_max_window_bits=015", "server_max_window_bits=-9", "server_max_window_bits=+9",
                "server_max_window_bits=1e1", "server_max_window_bits=9.0", "server_max_window_bits=nine",
                "server_max_window_bits=99999999999999999999999",
            ]
        ),
        (
            "§7.1.2.2: a value that is none",
            [
                "client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=0",
                "client_max_window_bits=09", "client_max_window_bits=-9", "client_max_window_bits=256",
                "client_max_window_bits=\"016\"",
            ]
        ),
        // zlib has no raw DEFLATE with a window of 8 bits, and ours is never larger than configured.
        ("§7.1.2.1: less than is spoken here", ["server_max_window_bits=8", "server_max_window_bits=14"]),
    ]
    static let declined: [Offer] = declinedParameters.flatMap { rule, parameters in
        parameters.map { .init("RFC 7692 \(rule), is declined", "permessage-deflate; \($0)", nil) }
    }
    static let otherNames: [Offer] = ["x-webkit-deflate-frame", "permessage-deflate2", "permessage", "deflate"].map {
        .init("RFC 7692 §5: another extension", $0, nil)
    }

    @Test(arguments: offers + declined + otherNames) func negotiation(_ offer: Offer) throws {
        let offers = try #require(ExtensionOffer.list(offer.offers), "every offer here keeps to the grammar")
        let configuration = DeflateConfiguration(windowBits: offer.windowBits)
        #expect(DeflateParameters.negotiate(offers: offers, configuration: configuration)?.fieldValue == offer.answer)
    }

    @Test(arguments: [false, true]) func theSameOverASocket(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.deflate = true }) { fixture in
            for offer in Self.offers + Self.declined + Self.otherNames where offer.windowBits == 15 {
                let client = try await fixture.client()
                let head = try await client.open(fields: ["Sec-WebSocket-Extensions: \(offer.offers)"])
                let lines = head.split(separator: "\r\n").filter { $0.hasPrefix("Sec-WebSocket-Extensions:") }
                #expect(head.status == "101", "\(offer.testDescription)")
                #expect(
                    lines == (offer.answer.map { ["Sec-WebSocket-Extensions: \($0)"] } ?? []),
                    "\(offer.testDescription)")
                await client.disconnect()
            }
        }
    }

    // MARK: Messages

    private static let limits = WebSocketReader.Limits(messageBytesMax: 70_000, framesPerMessageMax: 300)
    private static let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
    private static let rsv1: UInt8 = 4

    private static func compressed(_ payload: [UInt8], opcode: UInt8 = 1, isFinal: Bool = true) -> [UInt8] {
        ClientFrames.frame(opcode, payload, isFinal: isFinal, reserved: rsv1)
    }

    struct Message: Sendable, CustomTestStringConvertible {
        let rule: String
        let bytes: [UInt8]
        let outcome: Outcome
        var testDescription: String { rule }

        init(_ rule: String, _ bytes: [UInt8], _ received: Received...) {
            (self.rule, self.bytes, outcome) = ("RFC 7692 \(rule)", bytes, Outcome(received: received))
        }

        init(_ rule: String, _ bytes: [UInt8], fails code: CloseCode) {
            (self.rule, self.bytes, outcome) = ("RFC 7692 \(rule) → \(code.rawValue)", bytes, Outcome(error: code))
        }
    }

    static let messages: [Message] = [
        .init("§7.2.3.1: one block", compressed(hello), .text("Hello")),
        .init(
            "§7.2.3.1: two fragments, RSV1 on the first",
            compressed([0xF2, 0x48, 0xCD], isFinal: false) + ClientFrames.frame(0, [0xC9, 0xC9, 0x07, 0x00]),
            .text("Hello")),
        .init(
            "§6.1: fragments of a byte, an empty one first",
            compressed([], isFinal: false)
                + hello.enumerated().flatMap { ClientFrames.frame(0, [$1], isFinal: $0 == hello.count - 1) },
            .text("Hello")),
        .init(
            "§6.1: the last fragment empty", compressed(hello, isFinal: false) + ClientFrames.frame(0), .text("Hello")),
        .init(
            "§6.1: control frames between fragments",
            compressed([0xF2, 0x48, 0xCD], isFinal: false) + ClientFrames.ping([1])
                + ClientFrames.frame(0, [0xC9, 0xC9, 0x07, 0x00]), .ping([1]), .text("Hello")),
        .init(
            "§7.2.3.3: a stored block", compressed([0, 5, 0, 0xFA, 0xFF] + Array("Hello".utf8) + [0]), .text("Hello")),
        .init(
            "§7.2.3.4: BFINAL, then the padding block", compressed([0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00]),
            .text("Hello")),
        .init(
            "§7.2.3.5: two blocks",
            compressed([0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00]), .text("Hello")),
        .init(
            "§7.2.2: a block after one with BFINAL",
            compressed([0x01, 1, 0, 0xFE, 0xFF, 0x48] + [0x00, 1, 0, 0xFE, 0xFF, 0x69] + [0x00]), .text("Hi")),
        .init(
            "§7.2.2: three stored blocks",
            compressed([0, 1, 0, 0xFE, 0xFF, 0x48, 0, 0, 0, 0xFF, 0xFF, 0, 1, 0, 0xFE, 0xFF, 0x69, 0]), .text("Hi")),
        .init("§7.2.3.6: an empty message", compressed([0x00]), .text("")),
        .init("§7.2.3.6: an empty message, binary", compressed([0x00], opcode: 2), .binary([])),
        .init("§7.2.3.6: an empty fixed block", compressed([0x02, 0x00]), .text("")),
        .init(
            "§6: a message may go uncompressed",
            ClientFrames.text("plain") + compressed(hello) + ClientFrames.text("plain"),
            .text("plain"), .text("Hello"), .text("plain")),
        .init(
            "§7.1.1.2: no context between messages", compressed(hello) + compressed(hello), .text("Hello"),
            .text("Hello")),
        .init(
            "§6.2: binary is any bytes", compressed([0, 2, 0, 0xFD, 0xFF, 0xC0, 0xFF, 0], opcode: 2),
            .binary([0xC0, 0xFF])),
    ]

    static let violations: [Message] = [
        .init(
            "§6: RSV1 on a continuation", ClientFrames.text("", isFinal: false) + compressed(hello, opcode: 0),
            fails: .protocolError),
        .init(
            "§6: RSV1 on a continuation of a compressed message",
            compressed([0xF2, 0x48, 0xCD], isFinal: false) + compressed([0xC9, 0xC9, 0x07, 0x00], opcode: 0),
            fails: .protocolError),
        .init("§6: RSV1 on a ping", compressed([], opcode: 9), fails: .protocolError),
        .init("§6: RSV1 on a pong", compressed([], opcode: 10), fails: .protocolError),
        .init("§6: RSV1 on a close", compressed([0x03, 0xE8], opcode: 8), fails: .protocolError),
        .init("§6: RSV1 on a reserved opcode", compressed(hello, opcode: 3), fails: .protocolError),
        .init("§6: RSV2", ClientFrames.frame(1, [0], reserved: 2), fails: .protocolError),
        .init("§6: RSV1 and RSV3", ClientFrames.frame(1, [0], reserved: 5), fails: .protocolError),
        .init("§7.2.1: no byte at all", compressed([]), fails: .invalidPayload),
        .init("§7.2.2: a block of the reserved type", compressed([0x06, 0x00]), fails: .invalidPayload),
        .init("§7.2.2: a stored block whose lengths differ", compressed([0, 5, 0, 0, 0, 0]), fails: .invalidPayload),
        .init("§7.2.2: a stored block cut short", compressed([0, 5, 0, 0xFA, 0xFF, 0x48]), fails: .invalidPayload),
        .init("§7.2.2: a block cut short", compressed([0xF2, 0x48, 0xCD]), fails: .invalidPayload),
        .init("§7.2.2: bytes without sense", compressed([0xFF, 0xFF, 0xFF, 0xFF]), fails: .invalidPayload),
        .init(
            "§7.2.2: a distance beyond the message", compressed([0x0A, 0x02, 0x11, 0x00]), fails: .invalidPayload),
        .init(
            "RFC 6455 §8.1: text that isn't UTF-8", compressed([0, 1, 0, 0xFE, 0xFF, 0xFF, 0]), fails: .invalidPayload),
        .init(
            "RFC 6455 §8.1: text that ends inside a character", compressed([0, 1, 0, 0xFE, 0xFF, 0xE2, 0]),
            fails: .invalidPayload),
    ]

    @Test(arguments: messages + violations) func message(_ message: Message) throws {
        #expect(Outcome.of(message.bytes, limits: Self.limits, inflater: try Inflater()) == message.outcome)
    }

    /// Section 7.1.1.2: a client that agreed to use no context must not refer to an earlier message.
    @Test func referenceToEarlierMessageFails() throws {
        // The second message is the one of section 7.2.3.2: "Hello" as a reference to the first.
        let bytes = Self.compressed(Self.hello) + Self.compressed([0xF2, 0x00, 0x11, 0x00, 0x00])
        #expect(
            Outcome.of(bytes, limits: Self.limits, inflater: try Inflater())
                == Outcome(received: [.text("Hello")], error: .invalidPayload))
    }

    /// Section 6: RSV1 has no meaning unless the extension was negotiated.
    @Test func compressedMessageNeedsNegotiation() {
        #expect(Outcome.of(Self.compressed(Self.hello), limits: Self.limits) == Outcome(error: .protocolError))
    }

    // MARK: What the server sends

    /// Sections 7.2.1 and 7.1.1.1: one frame with RSV1, without the tail, and the same bytes each time.
    @Test(arguments: 9...15) func messagesOfTheServer(windowBits: Int) throws {
        let deflater = try Deflater(DeflateConfiguration(windowBits: windowBits, payloadBytesMin: 1))
        let text = String(repeating: "the same again, ", count: 100)
        var frames: [[UInt8]] = []
        for _ in 0..<2 {
            var frame: [UInt8] = []
            try Array(text.utf8).withUnsafeBytes { try deflater.appendFrame($0, opcode: .text, to: &frame) }
            frames.append(frame)
        }
        #expect(frames[0] == frames[1])
        #expect(frames[0][0] == 0xC1)
        let payload = ClientFrames.payload(ofServerFrame: frames[0])
        #expect(payload.count < text.utf8.count)
        #expect(!payload.suffix(4).elementsEqual([0x00, 0x00, 0xFF, 0xFF]))
        #expect(
            Outcome.of(Self.compressed(payload), limits: Self.limits, inflater: try Inflater())
                == Outcome(received: [.text(text)]))
    }

    /// Section 6: a message that would get no shorter is sent uncompressed, without RSV1. So is an empty one.
    @Test func incompressibleMessagesAreSentPlain() throws {
        let deflater = try Deflater(DeflateConfiguration(payloadBytesMin: 1))
        let payloads: [[UInt8]] = [[], [0x61], [0x00, 0xFF, 0x80, 0x7F]]
        for payload in payloads {
            var frame: [UInt8] = []
            try payload.withUnsafeBytes { try deflater.appendFrame($0, opcode: .binary, to: &frame) }
            #expect(frame == FrameEncoder.frame(payload, opcode: .binary))
        }
    }
}
