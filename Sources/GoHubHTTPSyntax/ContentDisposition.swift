package import GoHubCore

/// The name of a file for a browser, and whether to show or save it (RFC 6266).
package enum ContentDisposition {
    /// The name twice: in ASCII for old clients, and unchanged (RFC 8187, section 3.2), which all others use.
    package static func field(_ name: FileName, isInline: Bool) -> String {
        let plain = name.value.unicodeScalars.map { scalar -> Character in
            // Characters that would end the text, or that some clients treat as an encoding (RFC 6266, appendix D).
            scalar.isASCII && scalar != "\"" && scalar != "\\" && scalar != "%" ? Character(scalar) : "_"
        }
        let field = "\(isInline ? "inline" : "attachment"); filename=\"\(String(plain))\""
        return "\(field); filename*=UTF-8''\(encode(name.value))"
    }

    /// `attr-char` is unchanged; every other byte is encoded.
    private static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if plain.contains(byte) {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0x0F)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
