import GoHubTestSupport
import Testing

@testable import GoHubCore

/// RFC 3629, section 4. The standard library's decoder is the oracle.
@Suite struct UTF8ValidatorTests {
    /// The index of the first invalid byte, or `nil` if there is none.
    private func failure(_ bytes: [UInt8]) -> Int? {
        var validator = UTF8Validator()
        for (index, byte) in bytes.enumerated() where !withUnsafeBytes(of: byte, { validator.accept($0) }) {
            return index
        }
        return nil
    }

    private func isValid(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { UTF8Validator.isValid($0) } }

    private func isValidToTheOracle(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    @Test func allSequencesOfThreeBytesAtTheEdges() {
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
            0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF,
        ]
        // Short tails are read byte by byte, long ones by words.
        let tails: [[UInt8]] = [
            [], [0x80], [0xBF], [0x61, 0x62, 0x63, 0x64], [0x80, 0x61, 0x62, 0x63], [0xBF, 0x61],
        ]
        for first in edges {
            for second in edges {
                for third in edges {
                    for tail in tails {
                        let bytes = [first, second, third] + tail
                        let expected = isValidToTheOracle(bytes)
                        if isValid(bytes) != expected { Issue.record("\(bytes) should be \(expected)") }
                    }
                }
            }
        }
    }

    @Test func everyScalarIsValid() {
        for value in stride(from: UInt32(0), through: 0x10FFFF, by: 13) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = String(Character(scalar))
            #expect(isValid(Array(text.utf8)))
            #expect(isValid(Array((text + text + "abcd").utf8)))
        }
    }

    /// The byte at which each must fail, and not later (Autobahn 6.4 requires this for the first three).
    @Test(
        arguments: [
            ([0xCE, 0xBA, 0xF4, 0x90, 0x80, 0x80], 3), ([0xED, 0xA0, 0x80], 1), ([0xE0, 0x9F], 1), ([0xC0], 0),
            ([0x41, 0x80], 1), ([0xF5], 0), ([0xF0, 0x8F], 1), ([0xE2, 0x82, 0x41], 2),
        ] as [([UInt8], Int)])
    func failsAtTheFirstWrongByte(_ bytes: [UInt8], _ index: Int) {
        #expect(failure(bytes) == index)
    }

    @Test func wrongByteIsFoundAtEveryIndex() {
        for count in [1, 7, 8, 9, 31, 32, 33, 64, 100] {
            for index in 0..<count {
                var bytes = [UInt8](repeating: 0x61, count: count)
                #expect(isValid(bytes))
                bytes[index] = 0x80
                #expect(!isValid(bytes))
            }
        }
    }

    @Test func randomTextsAgreeWithOracleForAnySplit() {
        let pieces = ["plain text, long enough for the fast path", "é", "€", "👋🏽", "\u{0}", "z"].map { Array($0.utf8) }
        var invalid = 0
        for seed in 0..<3_000 {
            var numbers = SeededRandom(seed: UInt64(seed))
            var bytes: [UInt8] = []
            for _ in 0..<numbers.next() % 8 { bytes += pieces[Int(numbers.next() % UInt64(pieces.count))] }
            if numbers.next() % 2 == 0, !bytes.isEmpty {
                bytes[Int(numbers.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: numbers.next())
            }
            let expected = isValidToTheOracle(bytes)
            if !expected { invalid += 1 }
            var validator = UTF8Validator()
            let accepted = numbers.split(bytes, partBytesMax: 20).allSatisfy { part in
                part.withUnsafeBytes { validator.accept($0) }
            }
            if (accepted && validator.isComplete) != expected || isValid(bytes) != expected {
                Issue.record("seed \(seed): should be \(expected)")
            }
        }
        #expect(invalid > 300)
    }
}
