/// SplitMix64: the same numbers for the same seed, on every machine, so that a failure can be repeated.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// True once in `count` times on average.
    public mutating func once(in count: Int) -> Bool {
        Int.random(in: 0..<max(1, count), using: &self) == 0
    }

    public mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.randomElement(using: &self)
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let word = next()
            for shift in stride(from: 0, to: 64, by: 8) where bytes.count < count {
                bytes.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return bytes
    }

    /// Splits bytes into parts of random length, including empty ones.
    public mutating func split(_ bytes: [UInt8], partBytesMax: Int) -> [[UInt8]] {
        var parts: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + Int(next() % UInt64(partBytesMax + 1)), bytes.count)
            parts.append(Array(bytes[start..<end]))
            start = end
        }
        return parts
    }
}
