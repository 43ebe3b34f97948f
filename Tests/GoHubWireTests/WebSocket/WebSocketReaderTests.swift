import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

@Suite struct WebSocketReaderTests {
    private let limits = WebSocketReader.Limits(messageBytesMax: 70_000, framesPerMessageMax: 4)

    private func expect(
        _ bytes: [UInt8], gives expected: Outcome, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            Outcome.of(bytes, limits: limits, sourceLocation: sourceLocation) == expected,
            sourceLocation: sourceLocation)
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

    @Test(arguments: [0, 1, 7, 8, 125, 126, 127, 128, 65_535, 65_536, 70_000])
    func payloadLengths(_ count: Int) {
        var numbers = SeededRandom(seed: UInt64(count))
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

    /// Limits are enforced as soon as a header exceeds them (RFC 6455, section 10.4).
    static let overTheLimit: [(what: String, bytes: [UInt8])] = [
        ("the largest legal length", ClientFrames.header(2, length: .max >> 1)),
        ("one byte over the limit", ClientFrames.header(1, length: 70_001)),
        (
            "over the limit by fragments",
            ClientFrames.binary(.init(repeating: 0, count: 69_999), isFinal: false) + ClientFrames.header(0, length: 2)
        ),
        (
            "fragments without end",
            ClientFrames.binary([], isFinal: false)
                + (0..<4).flatMap { _ in ClientFrames.continuation([UInt8](), isFinal: false) }
        ),
    ]

    @Test(arguments: overTheLimit) func limitsAreEnforced(_ what: String, _ bytes: [UInt8]) {
        expect(
            ClientFrames.text("before") + bytes + ClientFrames.text("after"),
            gives: Outcome(received: [.text("before")], error: .messageTooBig))
        expect(bytes, gives: Outcome(error: .messageTooBig))
    }

    /// Autobahn 6.4: a text fails at its first invalid byte, in the middle of its frame.
    @Test func textFailsBeforeItsFrameIsComplete() {
        let start = ClientFrames.header(1, length: 50_000) + ClientFrames.mask([0x41, 0xF4, 0x90], ClientFrames.key)
        var reader = WebSocketReader(limits: limits)
        #expect(reader.outcome(of: [Array(start.dropLast())]) == Outcome())
        #expect(reader.outcome(of: [[start[start.count - 1]]]) == Outcome(error: .invalidPayload))
    }

    @Test func receiverCanStop() throws {
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

    @Test(arguments: 0..<5) func pauseKeepsTheRest(seed: UInt64) throws {
        let messages = (0..<20).map { "message \($0)" }
        let stream = messages.flatMap { ClientFrames.text($0) }
        var numbers = SeededRandom(seed: seed)
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

    @Test func errorIsFinal() {
        var reader = WebSocketReader(limits: limits)
        #expect(reader.outcome(of: [[0xFF]]) == Outcome(error: .protocolError))
        #expect(reader.outcome(of: [ClientFrames.text("x")]) == Outcome())
    }

    @Test func completeMessageIsNotCopied() throws {
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

    @Test func unfinishedMessageIsReported() {
        var reader = WebSocketReader(limits: limits)
        let frame = ClientFrames.text("text")
        #expect(!reader.isInsideMessage)
        _ = reader.outcome(of: [Array(frame.dropLast())])
        #expect(reader.isInsideMessage)
        #expect(reader.outcome(of: [frame.suffix(1)]) == Outcome(received: [.text("text")]))
        #expect(!reader.isInsideMessage)
    }

    /// There is one for every connection.
    @Test func readerIsSmall() {
        #expect(MemoryLayout<WebSocketReader>.size <= 120)
    }
}
