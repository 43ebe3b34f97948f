internal import GoHubTestSupport

/// Takes an input apart: some bytes that choose how a target is run, then those that it reads.
struct FuzzInput {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    /// 0 when there is none left.
    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func choose<Choice>(_ choices: [Choice]) -> Choice { choices[Int(byte()) % choices.count] }
}

extension [UInt8] {
    /// The bytes as a peer's packets might bring them.
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

    /// The parts between the bytes of this value, at most so many; the last holds the rest.
    func sections(separator: UInt8, max: Int) -> [[UInt8]] {
        split(separator: separator, maxSplits: max - 1, omittingEmptySubsequences: false).map(Array.init)
    }

    /// The bytes as text, with U+FFFD for what isn't UTF-8.
    var text: String { String(decoding: self, as: UTF8.self) }
}
