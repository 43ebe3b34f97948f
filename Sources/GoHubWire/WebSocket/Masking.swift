/// The key that a client XORs its payload with (RFC 6455, section 5.3).
///
/// The key rotates as it is used, so that a payload in several chunks is unmasked chunk by chunk.
struct MaskingKey: Equatable, Sendable {
    /// The key byte for the next payload byte is the lowest one.
    private var word: UInt32

    /// - Parameter littleEndian: the four key bytes in wire order, read as a little-endian number.
    init(littleEndian: UInt32) {
        word = littleEndian
    }

    /// Unmasks (or masks: the operation is its own inverse) a chunk in place and advances the key.
    mutating func apply(to chunk: UnsafeMutableRawBufferPointer) {
        let count = chunk.count
        // A key of zero changes nothing; some clients use it over TLS.
        guard word != 0, let base = chunk.baseAddress else { return }
        let pair = UInt64(word) | UInt64(word) << 32
        let wide = SIMD4<UInt64>(repeating: pair.littleEndian)
        var index = 0
        // Every load and store below is of `index ..< index + size`, which the loop condition keeps inside the chunk;
        // the accesses are unaligned, because a payload starts anywhere.
        while index &+ 32 <= count {
            let value = base.loadUnaligned(fromByteOffset: index, as: SIMD4<UInt64>.self) ^ wide
            base.storeBytes(of: value, toByteOffset: index, as: SIMD4<UInt64>.self)
            index &+= 32
        }
        while index &+ 8 <= count {
            let value = base.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ pair.littleEndian
            base.storeBytes(of: value, toByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        // Here `index` is a multiple of four, so the key is in its initial rotation.
        while index < count {
            let value = base.load(fromByteOffset: index, as: UInt8.self) ^ UInt8(truncatingIfNeeded: word)
            base.storeBytes(of: value, toByteOffset: index, as: UInt8.self)
            word = word &>> 8 | word &<< 24
            index &+= 1
        }
    }
}
