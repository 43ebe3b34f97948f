import CGoHubZlib
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Compression behaviour beyond the rules of `RFC7692Tests`.
@Suite struct DeflateTests {
    private let inflater: Inflater
    private let limits = WebSocketReader.Limits(messageBytesMax: 100_000, framesPerMessageMax: 16)

    init() throws {
        inflater = try Inflater()
    }

    private func read(_ bytes: [UInt8], limits: WebSocketReader.Limits? = nil) -> Outcome {
        var whole = WebSocketReader(limits: limits ?? self.limits, inflater: inflater)
        let outcome = whole.outcome(of: [bytes])
        for seed in 0..<5 {
            var numbers = SeededRandom(seed: UInt64(seed))
            var reader = WebSocketReader(limits: limits ?? self.limits, inflater: inflater)
            let parts = numbers.split(bytes, partBytesMax: max(bytes.count / 4, 1))
            #expect(reader.outcome(of: parts) == outcome, "seed \(seed)")
        }
        return outcome
    }

    private func compress(_ payload: [UInt8], _ configuration: DeflateConfiguration = .init()) throws -> [UInt8] {
        let deflater = try Deflater(configuration)
        var frame: [UInt8] = []
        try payload.withUnsafeBytes { try deflater.appendFrame($0, opcode: .binary, to: &frame) }
        #expect(frame[0] == 0xC2, "the payload was to be compressed")
        return ClientFrames.payload(ofServerFrame: frame)
    }

    @Test func streamsWithoutEndAreRefused() {
        let streams = (0..<40).flatMap { _ in [0x03, 0x00] as [UInt8] }
        #expect(read(ClientFrames.frame(2, streams, reserved: 4)) == Outcome(error: .invalidPayload))
    }

    @Test func streamEndingAtLastByteNeedsNoPadding() {
        // RFC 7692, section 7.2.3.4 has a padding block after BFINAL. Some senders leave it out.
        #expect(
            read(ClientFrames.frame(1, [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], reserved: 4))
                == Outcome(received: [.text("Hello")]))
    }

    /// After an error on one connection, the shared inflater serves the next.
    @Test func inflaterRecoversAfterError() {
        #expect(read(ClientFrames.frame(2, [0xFF, 0xFF], reserved: 4)).error == .invalidPayload)
        #expect(
            read(ClientFrames.frame(1, [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], reserved: 4))
                == Outcome(received: [.text("Hello")]))
    }

    @Test func decompressionBombIsStoppedAtLimit() throws {
        let bomb = try compress(.init(repeating: 0, count: 50_000_000))
        let limits = WebSocketReader.Limits(messageBytesMax: 1_000_000)
        #expect(bomb.count < 1_000_000)
        #expect(read(ClientFrames.frame(2, bomb, reserved: 4), limits: limits) == Outcome(error: .messageTooBig))
        let half = bomb.count / 2
        let fragments =
            ClientFrames.frame(2, Array(bomb[..<half]), isFinal: false, reserved: 4)
            + ClientFrames.frame(0, Array(bomb[half...]))
        #expect(read(fragments, limits: limits) == Outcome(error: .messageTooBig))
    }

    @Test(arguments: [1, 16_383, 16_384, 16_385, 32_768, 99_999, 100_000])
    func messageLimitIsExact(_ count: Int) throws {
        let configuration = DeflateConfiguration(payloadBytesMin: 1)
        let payload = [UInt8](repeating: 0x61, count: count + 16)
        let compressed = try compress(payload, configuration)
        let frame = ClientFrames.frame(2, compressed, reserved: 4)
        let fits = WebSocketReader.Limits(messageBytesMax: count + 16)
        #expect(read(frame, limits: fits) == Outcome(received: [.binary(payload)]))
        let tight = WebSocketReader.Limits(messageBytesMax: count + 15)
        #expect(read(frame, limits: tight) == Outcome(error: .messageTooBig))
    }

    /// Control frames may have 125 bytes whatever the message limit is. That doesn't extend the limit.
    @Test func theWireBoundHoldsBelowAControlFramesLength() {
        let limits = WebSocketReader.Limits(messageBytesMax: 0)
        let frame = ClientFrames.frame(2, .init(repeating: 0xFF, count: 66), reserved: 4)
        #expect(read(frame, limits: limits) == Outcome(error: .messageTooBig))
    }

    /// Incompressible data gets longer on the wire. A message of exactly the allowed size must still get through.
    @Test func incompressibleMessagesOfTheAllowedSize() {
        var numbers = SeededRandom(seed: 3)
        let payload = numbers.bytes(limits.messageBytesMax)
        var stored: [UInt8] = []
        for start in stride(from: 0, to: payload.count, by: 16_383) {
            let block = payload[start..<min(start + 16_383, payload.count)]
            let low = UInt8(block.count & 0xFF)
            let high = UInt8(block.count >> 8)
            stored += [0, low, high, ~low, ~high] + block
        }
        #expect(read(ClientFrames.frame(2, stored + [0], reserved: 4)) == Outcome(received: [.binary(payload)]))
    }

    @Test(arguments: 9...15)
    func windowsAreKept(_ bits: Int) throws {
        // Repeats at a distance beyond the smaller windows.
        var numbers = SeededRandom(seed: 4)
        let unit = numbers.bytes(700)
        let payload = (0..<60).flatMap { _ in unit + Array(repeating: 0x20, count: 40) }
        let compressed = try compress(payload, DeflateConfiguration(windowBits: bits, level: 9))
        #expect(
            read(ClientFrames.frame(2, compressed, reserved: 4)) == Outcome(received: [.binary(payload)]))
        // A peer with the negotiated window can read it too.
        #expect(inflate(compressed + [0, 0, 0xFF, 0xFF], windowBits: bits, bytesMax: payload.count + 1) == payload)
    }

    /// zlib itself, with a window of the given size.
    private func inflate(_ bytes: [UInt8], windowBits: Int, bytesMax: Int) -> [UInt8]? {
        var input = bytes
        var output = [UInt8](repeating: 0, count: bytesMax)
        var stream = z_stream()
        guard inflateInit2_(&stream, -Int32(windowBits), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { inflateEnd(&stream) }
        // In small steps, because zlib refers back into its output beyond the window if the output is contiguous.
        var made = 0
        let isWhole = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                while made < output.count {
                    stream.next_out = output.baseAddress.map { $0 + made }
                    stream.avail_out = UInt32(min(256, output.count - made))
                    let room = stream.avail_out
                    let status = CGoHubZlib.inflate(&stream, Z_SYNC_FLUSH)
                    made += Int(room - stream.avail_out)
                    if status == Z_BUF_ERROR { return true }
                    guard status == Z_OK else { return false }
                    if stream.avail_in == 0, stream.avail_out > 0 { return true }
                }
                return false
            }
        }
        return isWhole ? Array(output[..<made]) : nil
    }

    @Test func shortAndIncompressiblePayloadsAreSentPlain() throws {
        let deflater = try Deflater(DeflateConfiguration(payloadBytesMin: 64))
        var numbers = SeededRandom(seed: 5)
        for payload in [[], Array("short".utf8), numbers.bytes(63), numbers.bytes(5000)] {
            var frame: [UInt8] = []
            try payload.withUnsafeBytes { try deflater.appendFrame($0, opcode: .text, to: &frame) }
            #expect(frame == FrameEncoder.frame(payload, opcode: .text))
        }
    }

    @Test func deflaterIsDeterministic() throws {
        let deflater = try Deflater(DeflateConfiguration())
        let payload = [UInt8](String(repeating: "the same message ", count: 20).utf8)
        let large = [UInt8](repeating: 0x7A, count: 500_000)
        var first: [UInt8] = []
        var second: [UInt8] = []
        try payload.withUnsafeBytes { try deflater.appendFrame($0, opcode: .text, to: &first) }
        try large.withUnsafeBytes { try deflater.appendFrame($0, opcode: .text, to: &second) }
        second = []
        try payload.withUnsafeBytes { try deflater.appendFrame($0, opcode: .text, to: &second) }
        #expect(first == second)
        #expect(first.count < payload.count)
    }

    @Test func randomMessagesRoundTrip() throws {
        let deflater = try Deflater(DeflateConfiguration(level: 6, payloadBytesMin: 1))
        for seed in 0..<300 {
            var numbers = SeededRandom(seed: UInt64(seed))
            let unit = numbers.bytes(Int(numbers.next() % 40) + 1)
            let payload = (0..<numbers.next() % 600).flatMap { _ in unit }
            var frame: [UInt8] = []
            try payload.withUnsafeBytes { try deflater.appendFrame($0, opcode: .binary, to: &frame) }
            let sent = ClientFrames.payload(ofServerFrame: frame)
            let back = ClientFrames.frame(2, sent, reserved: frame[0] & 0x40 != 0 ? 4 : 0)
            #expect(read(back) == Outcome(received: [.binary(payload)]), "seed \(seed)")
        }
    }
}
