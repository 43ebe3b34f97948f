extension String {
    /// Byte for byte, where `==` takes two spellings of one character for the same: to an identity provider and to a
    /// database they are two users, so they must be two here.
    @inline(__always)
    func hasSameBytes(as other: String) -> Bool {
        isSameValue(as: other) || hasSameBytesElsewhere(other)
    }

    /// Whether the two values are the same 16 bytes: those of a short string are the text itself, those of a longer one
    /// tell its storage. So this says yes to equal strings only, and no to some.
    @inline(__always)
    private func isSameValue(as other: String) -> Bool {
        // Where a string has another size, which is checked when this is compiled, nothing is cast.
        guard MemoryLayout<String>.size == MemoryLayout<(UInt64, UInt64)>.size else { return false }
        return unsafeBitCast(self, to: (UInt64, UInt64).self) == unsafeBitCast(other, to: (UInt64, UInt64).self)
    }

    private func hasSameBytesElsewhere(_ other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let isSame = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                // An empty string may have no address, and nothing to compare. Both have as many bytes.
                guard let first = left.baseAddress, let second = right.baseAddress else { return true }
                return Bytes.areSame(UnsafeRawPointer(first), UnsafeRawPointer(second), count: left.count)
            }
        }
        // A string of Objective-C's may have no bytes to lend.
        return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
    }

    /// Goes with `hasSameBytes`. The last byte, which no UTF-8 holds, keeps two strings in a row apart.
    func hashBytes(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: $0) }
        hasher.combine(0xFF as UInt8)
    }

    /// Lends the UTF-8, without copying the string where it is stored as such, as everywhere on Linux.
    @inline(__always)
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let result = utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) { return result }
        return Array(utf8).withUnsafeBytes(body)
    }

    /// Not empty, and without the control characters (C0, DEL, C1) that could break a log line or a header,
    /// nor the ones that turn the direction of the text around them.
    var isPrintable: Bool {
        guard !isEmpty else { return false }
        if withBytes({ JSONScan.isPrintableASCII($0) }) { return true }
        return unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: false
            default: true
            }
        }
    }

    /// Whether U+0000 is in it.
    var holdsNull: Bool {
        withBytes { Bytes.holdNull($0) }
    }
}
