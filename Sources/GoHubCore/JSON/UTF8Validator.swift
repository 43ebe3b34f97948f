/// Validates UTF-8 incrementally (RFC 3629; RFC 6455, section 8.1).
///
/// It fails at the first byte that can't be part of any valid text, without waiting for the rest of the message. Chunks
/// may end anywhere, also inside a character.
package struct UTF8Validator: Sendable {
    /// The number of continuation bytes that the current character still needs.
    private var needed: UInt8 = 0
    /// The range of the next continuation byte. It is narrower than 80–BF after E0, ED, F0 and F4, which rules out
    /// overlong forms, surrogates and anything above U+10FFFF.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    package init() {}

    /// Whether the text so far ends on a character boundary.
    package var isComplete: Bool { needed == 0 }

    /// Whether the bytes are one complete, valid text.
    package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var validator = UTF8Validator()
        return validator.accept(bytes) && validator.isComplete
    }

    /// Processes the next chunk. Returns false once the text can't be UTF-8; the validator must not be used afterwards.
    package mutating func accept(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        let count = bytes.count
        var index = 0
        while index < count {
            if needed == 0 {
                index = UTF8Validator.skipCharacters(base, from: index, to: count)
                guard index < count else { return true }
                let lead = base.load(fromByteOffset: index, as: UInt8.self)
                // Invalid, or cut off at or near the end of the chunk: continue byte by byte.
                guard lead < 0x80 || start(lead) else { return false }
            } else {
                let byte = base.load(fromByteOffset: index, as: UInt8.self)
                guard byte >= lowest, byte <= highest else { return false }
                needed &-= 1
                lowest = 0x80
                highest = 0xBF
            }
            index &+= 1
        }
        return true
    }

    /// Processes the first byte of a non-ASCII character (RFC 3629, section 4).
    private mutating func start(_ lead: UInt8) -> Bool {
        switch lead {
        case 0xC2...0xDF: needed = 1
        case 0xE0: (needed, lowest) = (2, 0xA0)
        case 0xED: (needed, highest) = (2, 0x9F)
        case 0xE1...0xEF: needed = 2
        case 0xF0: (needed, lowest) = (3, 0x90)
        case 0xF1...0xF3: needed = 3
        case 0xF4: (needed, highest) = (3, 0x8F)
        default: return false
        }
        return true
    }

    /// Skips whole, valid characters from `index` on while four bytes remain. It does not validate: at the index where
    /// it stops, the bytes may be valid or invalid.
    @inline(__always)
    private static func skipCharacters(_ base: UnsafeRawPointer, from index: Int, to end: Int) -> Int {
        var index = index
        while index &+ 4 <= end {
            // In bounds by the loop condition; the first byte is the lowest.
            let word = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt32.self))
            if word & 0x8080_8080 == 0 {
                index = skipASCII(base, from: index &+ 4, to: end)
            } else if word & 0x80 == 0 {
                index &+= 1
            } else if word & 0xC0E0 == 0x80C0, word & 0x1E != 0 {
                // 110xxxxx 10xxxxxx; at least U+0080 by a bit among the upper four of the first five.
                index &+= 2
            } else if word & 0xC0_C0F0 == 0x80_80E0 {
                let scalar = (word & 0x0F) &<< 12 | (word &>> 8 & 0x3F) &<< 6 | word &>> 16 & 0x3F
                guard scalar >= 0x800, scalar &>> 11 != 0xD800 &>> 11 else { return index }
                index &+= 3
            } else if word & 0xC0C0_C0F8 == 0x8080_80F0 {
                let upper = (word & 0x07) &<< 2 | word &>> 12 & 0x03
                // The plane: 1–16.
                guard upper >= 1, upper <= 16 else { return index }
                index &+= 4
            } else {
                return index
            }
        }
        return index
    }

    /// The index of the first non-ASCII byte from `index` on, or `end`.
    @inline(__always)
    private static func skipASCII(_ base: UnsafeRawPointer, from index: Int, to end: Int) -> Int {
        var index = index
        let high = SIMD4<UInt64>(repeating: 0x8080_8080_8080_8080)
        // Loads stay inside `index ..< end` by the loop conditions.
        while index &+ 32 <= end {
            let word = base.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self) & high
            if word != .zero { break }
            index &+= 32
        }
        while index &+ 8 <= end {
            let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self)) & high[0]
            if word != 0 { return index &+ word.trailingZeroBitCount &>> 3 }
            index &+= 8
        }
        while index < end, base.load(fromByteOffset: index, as: UInt8.self) < 0x80 { index &+= 1 }
        return index
    }
}
