/// Where in a JSON string the first byte stands that can't stand there as it is: a quote, a backslash or a control
/// character (RFC 8259, section 7).
enum JSONScan {
    /// Looks at eight bytes at a time.
    ///
    /// - Parameters:
    ///   - start: valid for `end` bytes.
    ///   - index: where to begin, at most `end`.
    /// - Returns: `end` if there is none.
    @inline(__always)
    static func indexOfSpecial(_ start: UnsafeRawPointer, from index: Int, to end: Int) -> Int {
        var index = index
        // Loads stay inside `index ..< end` by the loop conditions.
        while index &+ 8 <= end {
            let word = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let found = specials(in: word)
            if found != 0 { return index &+ found.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < end {
            let byte = start.load(fromByteOffset: index, as: UInt8.self)
            if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return index }
            index &+= 1
        }
        return end
    }

    /// The top bit of each special byte is set; of the bytes above the first special one, perhaps without reason, since
    /// a borrow goes upwards. So only the lowest bit counts.
    @inline(__always)
    private static func specials(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5C)
        let control = (word &- ones &* 0x20) & ~word
        return (control | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes) & tops
    }
}
