import GoHubTestSupport
import Testing

@testable import GoHubWire

/// RFC 6455, section 5.3.
@Suite struct MaskingTests {
    private func unmask(_ bytes: [UInt8], key: [UInt8], cutAt cuts: [Int]) -> [UInt8] {
        var bytes = bytes
        var number: UInt32 = 0
        for (index, byte) in key.enumerated() { number |= UInt32(byte) << (8 * UInt32(index)) }
        var masking = MaskingKey(littleEndian: number)
        bytes.withUnsafeMutableBytes { buffer in
            var start = 0
            for cut in cuts + [buffer.count] {
                masking.apply(to: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<cut]))
                start = cut
            }
        }
        return bytes
    }

    @Test func everyLengthAgreesWithTheFormula() {
        var numbers = SeededRandom(seed: 1)
        for count in 0...130 {
            let payload = numbers.bytes(count)
            let key = numbers.bytes(4)
            #expect(unmask(payload, key: key, cutAt: []) == ClientFrames.mask(payload, key))
        }
    }

    @Test func everySplitAgreesWithTheFormula() {
        var numbers = SeededRandom(seed: 2)
        let payload = numbers.bytes(77)
        let key = numbers.bytes(4)
        let expected = ClientFrames.mask(payload, key)
        for first in 0...77 {
            for second in first...77 {
                #expect(unmask(payload, key: key, cutAt: [first, second]) == expected)
            }
        }
    }

    @Test func zeroKeyChangesNothing() {
        #expect(unmask([1, 2, 3], key: [0, 0, 0, 0], cutAt: [1]) == [1, 2, 3])
    }
}
