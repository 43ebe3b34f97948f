import GoHubCore
import Testing

@testable import GoHubWire

/// RFC 6455, sections 5.1, 5.2 and 5.5.1.
@Suite struct FrameEncoderTests {
    @Test func rfcExamples() {
        #expect(FrameEncoder.frame(Array("Hello".utf8), opcode: .text) == [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(FrameEncoder.frame(Array("Hello".utf8), opcode: .ping) == [0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        let medium = FrameEncoder.frame(.init(repeating: 1, count: 256), opcode: .binary)
        #expect(Array(medium.prefix(4)) == [0x82, 0x7E, 0x01, 0x00])
        let large = FrameEncoder.frame(.init(repeating: 1, count: 65_536), opcode: .binary)
        #expect(Array(large.prefix(10)) == [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0])
    }

    @Test(arguments: [0, 125, 126, 65_535, 65_536])
    func sizes(_ payloadBytes: Int) {
        let frame = FrameEncoder.frame(.init(repeating: 7, count: payloadBytes), opcode: .binary)
        #expect(frame.count == FrameEncoder.frameBytes(payloadBytes: payloadBytes))
        #expect(frame.count == FrameEncoder.headerBytes(payloadBytes: payloadBytes) + payloadBytes)
    }

    @Test func closeFrames() {
        #expect(FrameEncoder.closeFrame(.normal, reason: "") == [0x88, 2, 0x03, 0xE8])
        #expect(FrameEncoder.closeFrame(.slowConsumer) == [0x88, 15, 0x0F, 0xA1] + Array("slow consumer".utf8))
        #expect(FrameEncoder.closeFrame(.noStatus, reason: "never sent") == [0x88, 0])
        #expect(FrameEncoder.closeFrame(.abnormal) == [0x88, 0])
    }

    @Test func longCloseReasonIsTruncatedAtCharacter() {
        let frame = FrameEncoder.closeFrame(.normal, reason: String(repeating: "€", count: 100))
        // 123 bytes are 41 characters of three.
        #expect(frame.count == 2 + 125)
        let uneven = FrameEncoder.closeFrame(.normal, reason: "a" + String(repeating: "€", count: 100))
        #expect(uneven.count == 2 + 2 + 1 + 40 * 3)
        #expect(String(validating: uneven.dropFirst(4), as: UTF8.self) != nil)
    }

    @Test func boundariesBetweenFrames() {
        var bytes: [UInt8] = []
        var boundaries = [0]
        for count in [0, 5, 125, 126, 300, 65_536, 1] {
            FrameEncoder.append(.init(repeating: 0xFF, count: count), opcode: .binary, to: &bytes)
            boundaries.append(bytes.count)
        }
        bytes.withUnsafeBytes { buffer in
            for offset in Array(0...800) + Array((buffer.count - 30)...buffer.count) {
                let expected = boundaries.first { $0 >= offset }
                #expect(FrameEncoder.frameBoundary(in: buffer, atOrAfter: offset) == expected)
            }
            #expect(FrameEncoder.frameBoundary(in: buffer, atOrAfter: buffer.count + 1) == nil)
            for end in 0...600 where !boundaries.contains(end) {
                let cut = UnsafeRawBufferPointer(rebasing: buffer[..<end])
                #expect(FrameEncoder.frameBoundary(in: cut, atOrAfter: end) == nil)
            }
        }
    }

    @Test func absurdLengthHasNoBoundary() {
        let bytes: [UInt8] = [0x82, 0x7F] + [UInt8](repeating: 0xFF, count: 8)
        bytes.withUnsafeBytes { #expect(FrameEncoder.frameBoundary(in: $0, atOrAfter: 1) == nil) }
    }
}
