internal import GoHubTestSupport

/// Splits an input: the first bytes choose how the target runs, the rest is the data that it reads.
struct FuzzInput {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// The next byte, or 0 if none is left.
    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func choose<Choice>(_ choices: [Choice]) -> Choice { choices[Int(byte()) % choices.count] }
}

extension [UInt8] {
    /// The bytes, split as a peer's packets might deliver them.
    ///
    /// - Parameter cut: 0 for byte by byte, up to 127 for parts of that size, more for parts of 0 to 15 bytes.
    func parts(cut: UInt8) -> [[UInt8]] {
        var numbers = SeededRandom(seed: UInt64(cut))
        var parts: [[UInt8]] = []
        var start = 0
        while start < count {
            let size = cut >= 128 ? Int(numbers.next() % 16) : Swift.max(1, Int(cut))
            let end = Swift.min(start + size, count)
            parts.append(Array(self[start..<end]))
            start = end
        }
        return parts
    }

    /// The parts between the bytes of this value, at most this many. The last part holds the rest.
    func sections(separator: UInt8, max: Int) -> [[UInt8]] {
        split(separator: separator, maxSplits: max - 1, omittingEmptySubsequences: false).map(Array.init)
    }

    /// The bytes as text, with U+FFFD for invalid UTF-8.
    var text: String { String(decoding: self, as: UTF8.self) }
}
