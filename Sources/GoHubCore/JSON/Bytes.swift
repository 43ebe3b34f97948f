/// Replaces C's functions for bytes, without that library: processes several bytes at a time.
enum Bytes {
    /// Compares two runs of bytes. All loads stay inside them: the last one overlaps the previous one if the count
    /// isn't a multiple of its size.
    ///
    /// - Parameters:
    ///   - left: valid for `count` bytes.
    ///   - right: valid for `count` bytes.
    @inline(__always)
    static func areSame(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, count: Int) -> Bool {
        func isSame<Word: FixedWidthInteger & BitwiseCopyable>(at index: Int, as word: Word.Type) -> Bool {
            left.loadUnaligned(fromByteOffset: index, as: word) == right.loadUnaligned(fromByteOffset: index, as: word)
        }
        switch count {
        case 8...:
            var index = 0
            while index < count &- 8 {
                guard isSame(at: index, as: UInt64.self) else { return false }
                index &+= 8
            }
            return isSame(at: count &- 8, as: UInt64.self)
        case 4...: return isSame(at: 0, as: UInt32.self) && isSame(at: count &- 4, as: UInt32.self)
        case 2...: return isSame(at: 0, as: UInt16.self) && isSame(at: count &- 2, as: UInt16.self)
        case 1: return isSame(at: 0, as: UInt8.self)
        default: return true
        }
    }

    /// Whether a byte is 0.
    static func holdNull(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress else { return false }
        let count = bytes.count
        // All loads end at or before `count`.
        let wholeBlocks = count & ~(MemoryLayout<SIMD16<UInt64>>.size - 1)
        var index = mayHoldNull(start, count: wholeBlocks) ? 0 : wholeBlocks
        while index &+ 16 <= count {
            let words = start.loadUnaligned(fromByteOffset: index, as: SIMD2<UInt64>.self)
            // A difference sets the top bit of a zero byte. A borrow reaches only bytes above one.
            let found = (words &- SIMD2(repeating: ones)) & ~words & SIMD2(repeating: tops)
            guard found[0] | found[1] == 0 else { return true }
            index &+= 16
        }
        while index < count {
            let word = JSONScan.word(start, at: index, of: count)
            guard (word &- ones) & ~word & tops == 0 else { return true }
            index &+= 8
        }
        return false
    }

    /// Checks all bytes without a branch, which suffices for ASCII text: a byte above 0x7F may be reported as a zero.
    ///
    /// - Parameter count: a multiple of the block size. The pointer is valid for as many bytes.
    @inline(__always)
    private static func mayHoldNull(_ start: UnsafeRawPointer, count: Int) -> Bool {
        var found = SIMD16<UInt64>(repeating: 0)
        var index = 0
        while index < count {
            found |=
                start.loadUnaligned(fromByteOffset: index, as: SIMD16<UInt64>.self) &- SIMD16(repeating: ones)
            index &+= MemoryLayout<SIMD16<UInt64>>.size
        }
        let eight = found.lowHalf | found.highHalf
        let four = eight.lowHalf | eight.highHalf
        let two = four.lowHalf | four.highHalf
        return (two[0] | two[1]) & tops != 0
    }

    private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    private static var tops: UInt64 { 0x8080_8080_8080_8080 }
}
