extension String {
    /// Compares bytes, because `==` equates canonically equivalent spellings. Identity providers and databases treat
    /// them as two users, so they must be two here.
    @inline(__always)
    func hasSameBytes(as other: String) -> Bool {
        isSameValue(as: other) || hasSameBytesElsewhere(other)
    }

    /// Whether the two values are the same 16 bytes: those of a short string are the text itself, those of a longer one
    /// identify its storage. So a yes means equal strings, but a no means nothing.
    @inline(__always)
    private func isSameValue(as other: String) -> Bool {
        // If a string has another size, which is checked at compile time, nothing is cast.
        guard MemoryLayout<String>.size == MemoryLayout<(UInt64, UInt64)>.size else { return false }
        return unsafeBitCast(self, to: (UInt64, UInt64).self) == unsafeBitCast(other, to: (UInt64, UInt64).self)
    }

    private func hasSameBytesElsewhere(_ other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let isSame = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                // An empty string may have no address and needs no comparison. Both have the same number of bytes.
                guard let first = left.baseAddress, let second = right.baseAddress else { return true }
                return Bytes.areSame(UnsafeRawPointer(first), UnsafeRawPointer(second), count: left.count)
            }
        }
        // A bridged Objective-C string may have no bytes to lend.
        return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
    }

    /// Matches `hasSameBytes`. The last byte, which never occurs in UTF-8, separates consecutive strings.
    func hashBytes(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: $0) }
        hasher.combine(0xFF as UInt8)
    }

    /// Lends the UTF-8 without copying native strings, which all strings on Linux are.
    @inline(__always)
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let result = utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) { return result }
        return Array(utf8).withUnsafeBytes(body)
    }

    /// The same for a body that calls functions. A span takes no reference to the string's memory, which `withBytes`
    /// takes around such a call. It costs a call itself, so a body without one is better off with `withBytes`.
    @inline(__always)
    func withBytesOfSpan(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard #available(macOS 26, *) else { return withBytes(body) }
        utf8.span.withUnsafeBytes(body)
    }

    /// Not empty, and without control characters (C0, DEL, C1), which could break a log line or a header, and without
    /// characters that change the direction of the surrounding text.
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

    /// Whether it contains U+0000.
    var holdsNull: Bool {
        withBytes { Bytes.holdNull($0) }
    }
}
