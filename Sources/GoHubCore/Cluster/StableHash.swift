/// SipHash-2-4 with a 64-bit result: the same for the same key and bytes, in every process and on every architecture.
///
/// Swift's own hash has a seed for each process, so two nodes never agree on it. Without a key, users could choose
/// names that all fall on one node. Of the family this is the variant that OpenSSL (`SIPHASH`) and libsodium
/// (`crypto_shorthash`) have, so that an issuer of tokens can compute the same numbers.
///
/// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", Indocrypt 2012, section 2.
package struct StableHash: Sendable {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64
    /// Up to seven bytes that don't make a word yet, the first in the lowest byte.
    private var tail: UInt64 = 0
    /// All bytes so far. The hash has only the lowest eight bits of it.
    private var count: UInt64 = 0

    package init(key: PlacementKey) {
        v0 = key.low ^ 0x736F_6D65_7073_6575
        v1 = key.high ^ 0x646F_7261_6E64_6F6D
        v2 = key.low ^ 0x6C79_6765_6E65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    package mutating func combine(_ byte: UInt8) {
        tail |= UInt64(byte) << ((count & 7) * 8)
        count &+= 1
        guard count & 7 == 0 else { return }
        compress(tail)
        tail = 0
    }

    package mutating func combine(_ bytes: UnsafeRawBufferPointer) {
        var index = 0
        while index < bytes.count, count & 7 != 0 {
            combine(bytes[index])
            index += 1
        }
        // Whole words from here on: `tail` is empty, and each load ends at or before `bytes.count`.
        while bytes.count - index >= 8 {
            compress(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)))
            count &+= 8
            index += 8
        }
        while index < bytes.count {
            combine(bytes[index])
            index += 1
        }
    }

    /// Combines a name. The last byte, which never occurs in UTF-8, separates consecutive names.
    package mutating func combine(_ name: String) {
        name.withBytes { combine($0) }
        combine(0xFF as UInt8)
    }

    /// Combines a number of fixed size.
    package mutating func combine(_ number: UInt64) {
        for shift in stride(from: 0 as UInt64, to: 64, by: 8) { combine(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    package consuming func finalize() -> UInt64 {
        compress(tail | count << 56)
        v2 ^= 0xFF
        for _ in 0..<4 { round() }
        return v0 ^ v1 ^ v2 ^ v3
    }

    private mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    private mutating func round() {
        v0 &+= v1
        v2 &+= v3
        v1 = v1.rotatedLeft(13) ^ v0
        v3 = v3.rotatedLeft(16) ^ v2
        v0 = v0.rotatedLeft(32)
        v2 &+= v1
        v0 &+= v3
        v1 = v1.rotatedLeft(17) ^ v2
        v3 = v3.rotatedLeft(21) ^ v0
        v2 = v2.rotatedLeft(32)
    }
}

extension UInt64 {
    fileprivate func rotatedLeft(_ bits: UInt64) -> UInt64 { self << bits | self >> (64 - bits) }
}
