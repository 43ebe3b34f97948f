import GoHubCore
import Testing

@testable import GoHubWire

@Suite struct WebSocketReaderTests {
    private let limits = WebSocketReader.Limits(messageBytesMax: 70_000, framesPerMessageMax: 4)

    /// The outcome must not depend on how the bytes are cut.
    private func expect(
        _ bytes: [UInt8], gives expected: Outcome, _ comment: Comment? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var whole = WebSocketReader(limits: limits)
        #expect(whole.outcome(of: [bytes]) == expected, comment, sourceLocation: sourceLocation)
        var bytewise = WebSocketReader(limits: limits)
        #expect(bytewise.outcome(of: bytes.map { [$0] }) == expected, comment, sourceLocation: sourceLocation)
        for seed in 0..<20 {
            var numbers = SeededNumbers(seed: UInt64(seed))
            var reader = WebSocketReader(limits: limits)
            let parts = numbers.split(bytes, partBytesMax: max(bytes.count / 3, 2))
            #expect(
                reader.outcome(of: parts) == expected, "split with seed \(seed)", sourceLocation: sourceLocation)
        }
    }

    @Test func aDialogue() {
        let bytes =
            ClientFrames.text("Hello") + ClientFrames.binary([0, 1, 255]) + ClientFrames.ping([7])
            + ClientFrames.text("Grüße 👋") + ClientFrames.pong() + ClientFrames.text("")
            + ClientFrames.close(1000, "tschüß")
        expect(
            bytes,
            gives: Outcome(received: [
                .text("Hello"), .binary([0, 1, 255]), .ping([7]), .text("Grüße 👋"), .pong([]), .text(""),
                .close(.normal, "tschüß"),
            ]))
    }

    /// RFC 6455, section 5.7: the masked "Hello" of the examples.
    @Test func theExampleOfTheRFC() {
        expect(
            [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58],
            gives: Outcome(received: [.text("Hello")]))
    }

    @Test(arguments: [0, 1, 7, 8, 125, 126, 127, 128, 65_535, 65_536, 70_000])
    func payloadLengths(_ count: Int) {
        var numbers = SeededNumbers(seed: UInt64(count))
        let payload = numbers.bytes(count)
        let bytes = ClientFrames.binary(payload) + ClientFrames.ping()
        let expected = Outcome(received: [.binary(payload), .ping([])])
        var whole = WebSocketReader(limits: limits)
        #expect(whole.outcome(of: [bytes]) == expected)
        for partBytesMax in [5, 1000, 16_384] {
            var reader = WebSocketReader(limits: limits)
            #expect(reader.outcome(of: numbers.split(bytes, partBytesMax: partBytesMax)) == expected)
        }
    }

    @Test func fragmentsWithControlFramesBetween() {
        let bytes =
            ClientFrames.text("a€", isFinal: false) + ClientFrames.ping([1])
            + ClientFrames.continuation("", isFinal: false)
            + ClientFrames.pong([2]) + ClientFrames.continuation("b") + ClientFrames.binary([3])
        expect(bytes, gives: Outcome(received: [.ping([1]), .pong([2]), .text("a€b"), .binary([3])]))
    }

    @Test func aCharacterMayBeCutByFragments() {
        let euro = Array("€".utf8)
        let bytes =
            ClientFrames.frame(1, [euro[0]], isFinal: false) + ClientFrames.frame(0, [euro[1]], isFinal: false)
            + ClientFrames.frame(0, [euro[2]])
        expect(bytes, gives: Outcome(received: [.text("€")]))
    }

    struct Violation: Sendable, CustomTestStringConvertible {
        let section: String
        let what: String
        let bytes: [UInt8]
        let code: CloseCode
        var testDescription: String { "\(section): \(what)" }

        init(_ section: String, _ what: String, _ bytes: [UInt8], _ code: CloseCode = .protocolError) {
            (self.section, self.what, self.bytes, self.code) = (section, what, bytes, code)
        }
    }

    static let violations: [Violation] = [
        .init("RFC 6455 5.1", "unmasked", ClientFrames.frame(1, [65], isMasked: false)),
        .init("RFC 6455 5.1", "unmasked, told by two bytes", [0x81, 0x05]),
        .init("RFC 6455 5.2", "RSV1 without an extension", ClientFrames.frame(1, [65], reserved: 4)),
        .init("RFC 6455 5.2", "RSV2", ClientFrames.frame(1, [65], reserved: 2)),
        .init("RFC 6455 5.2", "RSV3, told by one byte", [0x91]),
        .init("RFC 6455 5.2", "opcode 3", ClientFrames.frame(3)),
        .init("RFC 6455 5.2", "opcode 7", ClientFrames.frame(7)),
        .init("RFC 6455 5.2", "opcode 11, told by one byte", [0x8B]),
        .init("RFC 6455 5.2", "opcode 15", ClientFrames.frame(15)),
        .init(
            "RFC 6455 5.2", "16-bit length of 125",
            ClientFrames.frame(2, .init(repeating: 0, count: 125), lengthBits: 16)),
        .init("RFC 6455 5.2", "16-bit length of 0", ClientFrames.frame(2, lengthBits: 16)),
        .init("RFC 6455 5.2", "64-bit length of 65535", ClientFrames.header(2, length: 65_535, lengthBits: 64)),
        .init("RFC 6455 5.2", "64-bit length of 1", ClientFrames.frame(2, [1], lengthBits: 64)),
        .init("RFC 6455 5.2", "highest bit of a length", ClientFrames.header(2, length: 1 << 63)),
        .init("RFC 6455 5.2", "all bits of a length", ClientFrames.header(2, length: .max)),
        .init("RFC 6455 10.4", "largest legal length", ClientFrames.header(2, length: .max >> 1), .messageTooBig),
        .init("RFC 6455 10.4", "one byte over the limit", ClientFrames.header(1, length: 70_001), .messageTooBig),
        .init(
            "RFC 6455 10.4", "over the limit by fragments",
            ClientFrames.binary(.init(repeating: 0, count: 69_999), isFinal: false)
                + ClientFrames.header(0, length: 2), .messageTooBig),
        .init(
            "RFC 6455 10.4", "fragments without end",
            ClientFrames.binary([], isFinal: false) + ClientFrames.continuation([UInt8](), isFinal: false)
                + ClientFrames.continuation([UInt8](), isFinal: false)
                + ClientFrames.continuation([UInt8](), isFinal: false)
                + ClientFrames.continuation([UInt8](), isFinal: false), .messageTooBig),
        .init("RFC 6455 5.4", "continuation of nothing", ClientFrames.continuation("x")),
        .init("RFC 6455 5.4", "unfinished continuation of nothing", ClientFrames.continuation("x", isFinal: false)),
        .init(
            "RFC 6455 5.4", "text inside a message",
            ClientFrames.text("a", isFinal: false) + ClientFrames.text("b")),
        .init(
            "RFC 6455 5.4", "binary inside a message, by its header",
            ClientFrames.text("a", isFinal: false) + ClientFrames.header(2, length: 5)),
        .init("RFC 6455 5.5", "fragmented ping", ClientFrames.frame(9, isFinal: false)),
        .init("RFC 6455 5.5", "fragmented close", ClientFrames.frame(8, isFinal: false)),
        .init("RFC 6455 5.5", "ping of 126 bytes", ClientFrames.header(9, length: 126)),
        .init("RFC 6455 5.5", "close of 126 bytes", ClientFrames.header(8, length: 126)),
        .init("RFC 6455 5.5", "pong with a 64-bit length", ClientFrames.header(10, length: 1, lengthBits: 64)),
        .init("RFC 6455 5.5.1", "close of one byte", ClientFrames.frame(8, [3])),
        .init("RFC 6455 5.5.1", "close reason not UTF-8", ClientFrames.frame(8, [0x03, 0xE8, 0xC0]), .invalidPayload),
        .init("RFC 6455 5.5.1", "close reason cut", ClientFrames.frame(8, [0x03, 0xE8, 0xE2, 0x82]), .invalidPayload),
        .init("RFC 6455 7.4.1", "close code 0", ClientFrames.close(0)),
        .init("RFC 6455 7.4.1", "close code 999", ClientFrames.close(999)),
        .init("RFC 6455 7.4.1", "close code 1004", ClientFrames.close(1004)),
        .init("RFC 6455 7.4.1", "close code 1005", ClientFrames.close(1005)),
        .init("RFC 6455 7.4.1", "close code 1006", ClientFrames.close(1006)),
        .init("RFC 6455 7.4.1", "close code 1015", ClientFrames.close(1015)),
        .init("RFC 6455 7.4.2", "close code 2999", ClientFrames.close(2999)),
        .init("RFC 6455 7.4.2", "close code 5000", ClientFrames.close(5000)),
        .init("RFC 6455 8.1", "text not UTF-8", ClientFrames.frame(1, [0x41, 0xFF]), .invalidPayload),
        .init(
            "RFC 6455 8.1", "text ends inside a character", ClientFrames.frame(1, [0x41, 0xE2, 0x82]), .invalidPayload),
        .init("RFC 6455 8.1", "text of a surrogate", ClientFrames.frame(1, [0xED, 0xA0, 0x80]), .invalidPayload),
        .init(
            "RFC 6455 8.1", "fragmented text not UTF-8, before it ends",
            ClientFrames.text("a", isFinal: false) + ClientFrames.frame(0, [0xC0], isFinal: false), .invalidPayload),
    ]

    @Test(arguments: violations)
    func violationsAreClosed(_ violation: Violation) {
        // What came before is delivered, what comes after isn't looked at.
        expect(
            ClientFrames.text("before") + violation.bytes + ClientFrames.text("after"),
            gives: Outcome(received: [.text("before")], error: violation.code))
        // And no byte after the violation is needed to see it.
        expect(violation.bytes, gives: Outcome(error: violation.code))
    }

    /// Autobahn 6.4: a text fails at the first byte that can't be right, in the middle of its frame.
    @Test func textFailsBeforeItsFrameIsComplete() {
        let start = ClientFrames.header(1, length: 50_000) + ClientFrames.mask([0x41, 0xF4, 0x90], ClientFrames.key)
        var reader = WebSocketReader(limits: limits)
        #expect(reader.outcome(of: [Array(start.dropLast())]) == Outcome())
        #expect(reader.outcome(of: [[start[start.count - 1]]]) == Outcome(error: .invalidPayload))
    }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
    func closeCodesThatMayBeSent(_ code: UInt16) {
        expect(ClientFrames.close(code), gives: Outcome(received: [.close(CloseCode(rawValue: code), "")]))
    }

    @Test func anEmptyCloseHasNoStatus() {
        expect(ClientFrames.frame(8), gives: Outcome(received: [.close(.noStatus, "")]))
    }

    @Test func nothingIsReadAfterAClose() {
        expect(
            ClientFrames.close(1001) + ClientFrames.text("late") + [0xFF, 0xFF],
            gives: Outcome(received: [.close(.goingAway, "")]))
    }

    @Test func theReceiverCanStop() throws {
        var reader = WebSocketReader(limits: limits)
        var bytes = ClientFrames.text("one") + ClientFrames.text("two")
        var count = 0
        _ = try bytes.withUnsafeMutableBufferPointer { (bytes) throws(WebSocketError) in
            try reader.read(UnsafeMutableRawBufferPointer(bytes)) { _ in
                count += 1
                return false
            }
        }
        #expect(count == 1)
        #expect(reader.isFinished)
        #expect(reader.outcome(of: [ClientFrames.text("three")]) == Outcome())
    }

    @Test(arguments: 0..<5) func aPauseLeavesTheRestForLater(seed: UInt64) throws {
        let messages = (0..<20).map { "message \($0)" }
        let stream = messages.flatMap { ClientFrames.text($0) }
        var numbers = SeededNumbers(seed: seed)
        var reader = WebSocketReader(limits: limits)
        var received: [String] = []
        for part in numbers.split(stream, partBytesMax: 40) {
            var rest = part
            while !rest.isEmpty {
                var isPaused = false
                let count = try rest.withUnsafeMutableBufferPointer { (bytes) throws(WebSocketError) in
                    try reader.read(UnsafeMutableRawBufferPointer(bytes), isPaused: { isPaused }) { input in
                        #expect(!isPaused, "nothing comes after the pause")
                        isPaused = true
                        if case .text(let text) = input { received.append(String(decoding: text, as: UTF8.self)) }
                        return true
                    }
                }
                rest.removeFirst(count)
            }
        }
        #expect(received == messages)
    }

    @Test func anErrorIsFinal() {
        var reader = WebSocketReader(limits: limits)
        #expect(reader.outcome(of: [[0xFF]]) == Outcome(error: .protocolError))
        #expect(reader.outcome(of: [ClientFrames.text("x")]) == Outcome())
    }

    @Test func aWholeMessageIsNotCopied() throws {
        var reader = WebSocketReader(limits: limits)
        var bytes = ClientFrames.text("in place") + ClientFrames.binary([1, 2, 3])
        _ = try bytes.withUnsafeMutableBufferPointer { (bytes) throws(WebSocketError) in
            let buffer = UnsafeRawBufferPointer(bytes)
            var isInside: [Bool] = []
            try reader.read(UnsafeMutableRawBufferPointer(bytes)) { input in
                if case .text(let payload) = input { isInside.append(payload.baseAddress == buffer.baseAddress! + 6) }
                if case .binary(let payload) = input {
                    isInside.append(payload.baseAddress == buffer.baseAddress! + 20)
                }
                return true
            }
            #expect(isInside == [true, true])
        }
    }

    @Test func aMessageUnderWayIsKnown() {
        var reader = WebSocketReader(limits: limits)
        let frame = ClientFrames.text("text")
        #expect(!reader.isInsideMessage)
        _ = reader.outcome(of: [Array(frame.dropLast())])
        #expect(reader.isInsideMessage)
        #expect(reader.outcome(of: [frame.suffix(1)]) == Outcome(received: [.text("text")]))
        #expect(!reader.isInsideMessage)
    }

    /// There is one for every connection.
    @Test func aReaderIsSmall() {
        #expect(MemoryLayout<WebSocketReader>.size <= 120)
    }
}
