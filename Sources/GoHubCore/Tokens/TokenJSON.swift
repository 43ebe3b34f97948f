#if Tokens

/// The JSON of tokens and key sets (RFC 8259), read strictly.
///
/// A check is bypassed when two readers interpret the same bytes differently. So everything that RFC 8259 leaves open
/// is refused here: repeated member names (RFC 7519 section 4), lone surrogates, numbers too large for a `Double`, and
/// nesting deeper than `depthMax`.
enum TokenJSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([TokenJSON])
    case object([String: TokenJSON])

    /// The maximum nesting depth of arrays and objects. Claims added by identity providers reach four or five levels.
    static let depthMax = 16

    /// The reason why the bytes were refused. Never contains a part of them.
    struct Malformed: Error, Hashable {
        let reason: String
    }

    init(parsing bytes: [UInt8]) throws(Malformed) {
        var reader = Reader(bytes: bytes)
        self = try reader.readDocument()
    }

    var string: String? {
        if case .string(let string) = self { string } else { nil }
    }

    var number: Double? {
        if case .number(let number) = self { number } else { nil }
    }

    var array: [TokenJSON]? {
        if case .array(let array) = self { array } else { nil }
    }

    var object: [String: TokenJSON]? {
        if case .object(let object) = self { object } else { nil }
    }
}

extension TokenJSON {
    /// Recursive descent over the bytes. `position` never passes `bytes.count`: only `peek` reads, and it checks.
    private struct Reader {
        let bytes: [UInt8]
        var position = 0
        var depth = 0

        mutating func readDocument() throws(Malformed) -> TokenJSON {
            skipSpace()
            let value = try readValue()
            skipSpace()
            guard peek() == nil else { throw Malformed(reason: "more text follows the value") }
            return value
        }

        private func peek() -> UInt8? {
            position < bytes.count ? bytes[position] : nil
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard peek() == byte else { return false }
            position += 1
            return true
        }

        private mutating func expect(_ byte: UInt8) throws(Malformed) {
            guard take(byte) else { throw Malformed(reason: "a separator is missing") }
        }

        private mutating func skipSpace() {
            while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
                position += 1
            }
        }

        private mutating func readValue() throws(Malformed) -> TokenJSON {
            switch peek() {
            case UInt8(ascii: "{"): return try nested { reader throws(Malformed) in try reader.readObject() }
            case UInt8(ascii: "["): return try nested { reader throws(Malformed) in try reader.readArray() }
            case UInt8(ascii: "\""): return .string(try readString())
            case UInt8(ascii: "t"): return try readWord("true", as: .bool(true))
            case UInt8(ascii: "f"): return try readWord("false", as: .bool(false))
            case UInt8(ascii: "n"): return try readWord("null", as: .null)
            default: return .number(try readNumber())
            }
        }

        /// Bounds the recursion and therefore the stack.
        private mutating func nested(
            _ read: (inout Reader) throws(Malformed) -> TokenJSON
        ) throws(Malformed) -> TokenJSON {
            guard depth < TokenJSON.depthMax else { throw Malformed(reason: "it nests too deeply") }
            depth += 1
            position += 1
            let value = try read(&self)
            depth -= 1
            return value
        }

        private mutating func readObject() throws(Malformed) -> TokenJSON {
            var members: [String: TokenJSON] = [:]
            skipSpace()
            if take(UInt8(ascii: "}")) { return .object(members) }
            repeat {
                skipSpace()
                guard peek() == UInt8(ascii: "\"") else { throw Malformed(reason: "a member has no name") }
                let name = try readString()
                skipSpace()
                try expect(UInt8(ascii: ":"))
                skipSpace()
                let isRepeated = members.updateValue(try readValue(), forKey: name) != nil
                guard !isRepeated else { throw Malformed(reason: "a member name is repeated") }
                skipSpace()
            } while take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "}"))
            return .object(members)
        }

        private mutating func readArray() throws(Malformed) -> TokenJSON {
            var elements: [TokenJSON] = []
            skipSpace()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            repeat {
                skipSpace()
                elements.append(try readValue())
                skipSpace()
            } while take(UInt8(ascii: ","))
            try expect(UInt8(ascii: "]"))
            return .array(elements)
        }

        private mutating func readWord(_ word: StaticString, as value: TokenJSON) throws(Malformed) -> TokenJSON {
            for byte in word.description.utf8 {
                guard take(byte) else { throw Malformed(reason: "a value is not JSON") }
            }
            return value
        }

        // MARK: Strings

        private mutating func readString() throws(Malformed) -> String {
            position += 1
            var unescaped: [UInt8] = []
            var plainStart = position
            while let byte = peek() {
                switch byte {
                case UInt8(ascii: "\""):
                    let plain = bytes[plainStart..<position]
                    position += 1
                    // Most strings have no escape and are read in one piece.
                    let text = unescaped.isEmpty ? plain : unescaped[...] + plain
                    guard let string = String(validating: text, as: UTF8.self) else {
                        throw Malformed(reason: "a string is not UTF-8")
                    }
                    return string
                case UInt8(ascii: "\\"):
                    unescaped += bytes[plainStart..<position]
                    position += 1
                    unescaped += Array(String(try readEscape()).utf8)
                    plainStart = position
                case 0..<0x20:
                    throw Malformed(reason: "a string has a control character")
                default:
                    position += 1
                }
            }
            throw Malformed(reason: "a string does not end")
        }

        private mutating func readEscape() throws(Malformed) -> Unicode.Scalar {
            let byte = peek()
            position += byte == nil ? 0 : 1
            switch byte {
            case UInt8(ascii: "\""): return "\""
            case UInt8(ascii: "\\"): return "\\"
            case UInt8(ascii: "/"): return "/"
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "u"): return try readUnicodeEscape()
            default: throw Malformed(reason: "a string has an unknown escape")
            }
        }

        private mutating func readUnicodeEscape() throws(Malformed) -> Unicode.Scalar {
            let unit = try readCodeUnit()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            guard (0xD800...0xDBFF).contains(unit), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
                throw Malformed(reason: "a string has an unpaired surrogate")
            }
            let low = try readCodeUnit()
            guard (0xDC00...0xDFFF).contains(low) else {
                throw Malformed(reason: "a string has an unpaired surrogate")
            }
            let value = 0x10000 + (UInt32(unit - 0xD800) << 10 | UInt32(low - 0xDC00))
            guard let scalar = Unicode.Scalar(value) else {
                throw Malformed(reason: "a string has an unpaired surrogate")
            }
            return scalar
        }

        private mutating func readCodeUnit() throws(Malformed) -> UInt16 {
            var unit: UInt16 = 0
            for _ in 0..<4 {
                guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                    throw Malformed(reason: "a string has an incomplete escape")
                }
                position += 1
                unit = unit << 4 | UInt16(digit)
            }
            return unit
        }

        // MARK: Numbers

        /// The grammar of RFC 8259 section 6 is checked here, because `Double` would accept "nan", "0x1" and "+1".
        private mutating func readNumber() throws(Malformed) -> Double {
            let start = position
            _ = take(UInt8(ascii: "-"))
            if !take(UInt8(ascii: "0")) { try readDigits() }
            if take(UInt8(ascii: ".")) { try readDigits() }
            if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
                if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
                try readDigits()
            }
            let text = String(decoding: bytes[start..<position], as: UTF8.self)
            guard let number = Double(text), number.isFinite else {
                throw Malformed(reason: "a number is out of range")
            }
            return number
        }

        private mutating func readDigits() throws(Malformed) {
            let start = position
            while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                position += 1
            }
            guard position > start else { throw Malformed(reason: "a value is not JSON") }
        }
    }
}

#endif
