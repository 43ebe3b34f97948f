/// What C's library has for bytes, without the library: eight bytes at a time.
enum Bytes {
    /// Compares two runs of bytes. All loads stay inside them: the last one overlaps the one before it where the count
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
        for index in stride(from: 0, to: bytes.count, by: 8) {
            // Inside the bytes, as `word` says.
            let word = JSONScan.word(start, at: index, of: bytes.count)
            // A difference sets the top bit of a zero byte. A borrow reaches only bytes above one.
            guard (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 == 0 else { return true }
        }
        return false
    }
}
