/// Strict base64url without padding (RFC 7515 section 2, RFC 4648 section 5).
///
/// A token has exactly one spelling: no `=`, no white space, no `+` and `/` of plain base64, no stray bits after the
/// last byte.
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let invalid: UInt8 = 0xFF

    /// The six bits of each character; `invalid` for bytes outside the alphabet. 256 entries: any byte is a valid
    /// index.
    private static let sextets: [UInt8] = {
        var sextets = [UInt8](repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() {
            sextets[Int(character)] = UInt8(value)
        }
        return sextets
    }()

    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var bitCount = 0
        for byte in bytes {
            bits = (bits << 8 | UInt32(byte)) & 0xFFFF
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                text.append(alphabet[Int(bits >> UInt32(bitCount)) & 0x3F])
            }
        }
        if bitCount > 0 {
            text.append(alphabet[Int(bits << UInt32(6 - bitCount)) & 0x3F])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// `nil` when the text isn't canonical base64url.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        let sextets = Self.sextets
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3 + 2)
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        for character in text {
            let sextet = sextets[Int(character)]
            guard sextet != invalid else { return nil }
            bits = (bits << 6 | UInt32(sextet)) & 0x3FFF
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
            }
        }
        let leftover = bits & ((1 << bitCount) - 1)
        return leftover == 0 ? bytes : nil
    }
}
