/// Finds the first byte in a JSON string that must be escaped: a quote, a backslash or a control character (RFC 8259,
/// section 7).
enum JSONScan {
    /// Examines eight bytes at a time.
    ///
    /// - Parameters:
    ///   - start: valid for `end` bytes.
    ///   - index: the first byte to examine, at most `end`.
    /// - Returns: `end` if there is none.
    @inline(__always)
    static func indexOfSpecial(_ start: UnsafeRawPointer, from index: Int, to end: Int) -> Int {
        var index = index
        while index < end {
            let special = firstSpecial(in: word(start, at: index, of: end))
            guard special == 8 else { return index &+ special }
            index &+= 8
        }
        return end
    }

    /// Eight bytes in little-endian order; spaces beyond the end of the text.
    ///
    /// - Parameters:
    ///   - start: valid for `end` bytes. Loads stay inside them.
    ///   - index: below `end`.
    @inline(__always)
    static func word(_ start: UnsafeRawPointer, at index: Int, of end: Int) -> UInt64 {
        let left = end &- index
        if left >= 8 { return UInt64(littleEndian: start.loadUnaligned(fromByteOffset: index, as: UInt64.self)) }
        return rest(start, at: index, of: end)
    }

    /// `word` for the last one to seven bytes.
    private static func rest(_ start: UnsafeRawPointer, at index: Int, of end: Int) -> UInt64 {
        let left = end &- index
        let bits = UInt64(left &* 8)
        let spaces: UInt64 = 0x2020_2020_2020_2020 << bits
        if end >= 8 {
            // The last eight bytes, without those before `index`.
            let last = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self))
            return last >> (64 &- bits) | spaces
        }
        if left >= 4 {
            // With fewer than eight bytes the two halves overlap and agree.
            let low = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: index, as: UInt32.self))
            let high = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: end &- 4, as: UInt32.self))
            return UInt64(low) | UInt64(high) << (bits &- 32) | spaces
        }
        // One to three bytes: the first, the middle and the last.
        let first = UInt64(start.load(fromByteOffset: index, as: UInt8.self))
        let middle = UInt64(start.load(fromByteOffset: index &+ left / 2, as: UInt8.self)) << UInt64(left / 2 &* 8)
        let last = UInt64(start.load(fromByteOffset: end &- 1, as: UInt8.self)) << (bits &- 8)
        return first | middle | last | spaces
    }

    /// Whether all bytes are in U+0020 to U+007E.
    static func isPrintableASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress else { return true }
        for index in stride(from: 0, to: bytes.count, by: 8) {
            let word = word(start, at: index, of: bytes.count)
            // The top bit is set in `word` by non-ASCII bytes, in the sum by U+007F, and in the difference by bytes
            // below U+0020. A carry or a borrow comes only from a byte that is refused by itself.
            guard (word | (word &+ ones) | (word &- ones &* 0x20)) & (ones &* 0x80) == 0 else { return false }
        }
        return true
    }

    /// The index of the first special byte in `word`; 8 if there is none.
    @inline(__always)
    static func firstSpecial(in word: UInt64) -> Int {
        // `low` marks bytes below U+0021 after swapping U+0020 and U+0022; `backslash` marks bytes that are 0 after an
        // XOR with U+005C. The differences borrow and so set the top bit, which non-ASCII bytes already have. A borrow
        // propagates only to bytes above the first special one, which are not examined.
        let low = (word ^ (ones &* 0x02)) &- ones &* 0x21
        let backslash = (word ^ (ones &* 0x5C)) &- ones
        let found = (low | backslash) & ~word & (ones &* 0x80)
        return found.trailingZeroBitCount &>> 3
    }

    /// Whether none of sixteen bytes is special: the same with two words at a time.
    @inline(__always)
    static func isClean(_ words: SIMD2<UInt64>) -> Bool {
        let low = (words ^ SIMD2(repeating: ones &* 0x02)) &- SIMD2(repeating: ones &* 0x21)
        let backslash = (words ^ SIMD2(repeating: ones &* 0x5C)) &- SIMD2(repeating: ones)
        let found = (low | backslash) & ~words & SIMD2(repeating: ones &* 0x80)
        return found[0] | found[1] == 0
    }

    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
}
