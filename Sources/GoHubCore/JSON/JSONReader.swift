/// A strict JSON reader (RFC 8259) for a single pass over a command's bytes, without building a tree.
///
/// Commands are small and flat, and arrive at the rate of the whole hub. A general decoder costs more than the rest of
/// the live path together. This reader has no recursion, allocates only for requested strings, and stops at the first
/// byte that isn't JSON.
struct JSONReader {
    enum Failure: Error {
        case malformed
        case tooDeep
        /// An object of a tree has two members with the same name.
        case repeatedName
        /// A number of a tree is too large for a `Double`.
        case outOfRange
    }

    enum Kind {
        case string, number, object, array, bool, null
    }

    /// The pointer is valid for the reader's life: `decode(_:)` functions create a reader inside the scope of the
    /// bytes, and the reader never leaves it. All access goes through `byte(_:)`, which checks the bound.
    private let bytes: UnsafeRawBufferPointer
    private let depthMax: Int
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer, depthMax: Int) {
        self.bytes = bytes
        self.depthMax = depthMax
    }

    // MARK: Structure

    /// Reads an object and calls `field` at each value, which must consume it with one of the `read`s or `skipValue`.
    @inline(__always)
    mutating func readObject(_ field: (_ key: FieldName, _ reader: inout JSONReader) throws(Failure) -> Void)
        throws(Failure)
    {
        try readItems(from: UInt8(ascii: "{"), to: UInt8(ascii: "}")) { (reader) throws(Failure) in
            let key = try reader.readFieldName()
            try reader.expect(UInt8(ascii: ":"))
            reader.skipWhitespace()
            try field(key, &reader)
        }
    }

    /// Reads an object with arbitrary members and calls `member` at each value, which must consume it as `field` of
    /// `readObject` does.
    mutating func readMembers(_ member: (_ name: String, _ reader: inout JSONReader) throws(Failure) -> Void)
        throws(Failure)
    {
        try readItems(from: UInt8(ascii: "{"), to: UInt8(ascii: "}")) { (reader) throws(Failure) in
            let name = try reader.readString()
            try reader.expect(UInt8(ascii: ":"))
            reader.skipWhitespace()
            try member(name, &reader)
        }
    }

    /// Reads an array and calls `element` at each value, which must consume it as `field` of `readObject` does.
    mutating func readArray(_ element: (_ reader: inout JSONReader) throws(Failure) -> Void) throws(Failure) {
        try readItems(from: UInt8(ascii: "["), to: UInt8(ascii: "]")) { (reader) throws(Failure) in
            try element(&reader)
        }
    }

    /// Reads items separated by commas between two brackets. `item` consumes one, without white space around it.
    @inline(__always)
    private mutating func readItems(
        from opening: UInt8, to closing: UInt8, _ item: (_ reader: inout JSONReader) throws(Failure) -> Void
    ) throws(Failure) {
        try expect(opening)
        skipWhitespace()
        if consume(closing) { return }
        while true {
            skipWhitespace()
            try item(&self)
            skipWhitespace()
            if consume(closing) { return }
            guard consume(UInt8(ascii: ",")) else { throw .malformed }
        }
    }

    private mutating func readFieldName() throws(Failure) -> FieldName {
        let name = try readText()
        guard name.hasEscapes else { return FieldName(UnsafeRawBufferPointer(rebasing: bytes[name.range])) }
        // An escaped letter is equivalent to that letter.
        var unescaped = try string(name)
        return unescaped.withUTF8 { FieldName(UnsafeRawBufferPointer($0)) }
    }

    /// Fails unless only white space is left.
    mutating func readEnd() throws(Failure) {
        skipWhitespace()
        guard position == bytes.count else { throw .malformed }
    }

    /// The kind of the next value, which is not consumed.
    func peekKind() throws(Failure) -> Kind {
        guard let next = byte(position) else { throw .malformed }
        switch next {
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        default: throw .malformed
        }
    }

    /// Consumes any value, validated as when read, nested at most `depthMax` deep.
    mutating func skipValue() throws(Failure) {
        var open: [UInt8] = []
        while true {
            skipWhitespace()
            switch try peekKind() {
            case .string: _ = try readText()
            case .number: try skipNumber()
            case .bool: _ = try readBool()
            case .null: try readNull()
            case .object:
                guard open.count < depthMax else { throw .tooDeep }
                position += 1
                skipWhitespace()
                if consume(UInt8(ascii: "}")) { break }
                open.append(UInt8(ascii: "}"))
                try skipKey()
                continue
            case .array:
                guard open.count < depthMax else { throw .tooDeep }
                position += 1
                skipWhitespace()
                if consume(UInt8(ascii: "]")) { break }
                open.append(UInt8(ascii: "]"))
                continue
            }
            // After a complete value: close the containers that it completes, or continue with the next value.
            while true {
                guard let closer = open.last else { return }
                skipWhitespace()
                if consume(closer) {
                    open.removeLast()
                    continue
                }
                try expect(UInt8(ascii: ","))
                if closer == UInt8(ascii: "}") { try skipKey() }
                break
            }
        }
    }

    private mutating func skipKey() throws(Failure) {
        skipWhitespace()
        _ = try readText()
        try expect(UInt8(ascii: ":"))
    }

    // MARK: Values

    mutating func readBool() throws(Failure) -> Bool {
        if byte(position) == UInt8(ascii: "t") {
            try expectLiteral("true")
            return true
        }
        try expectLiteral("false")
        return false
    }

    mutating func readNull() throws(Failure) {
        try expectLiteral("null")
    }

    /// Any number. The grammar of RFC 8259, section 6, is checked first: `Double` alone would take "nan", "0x1" and
    /// "+1".
    mutating func readNumber() throws(Failure) -> Double {
        let start = position
        try skipNumber()
        let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        guard let number = Double(text), number.isFinite else { throw .outOfRange }
        return number
    }

    /// A whole number in range. A fraction, an exponent or a sign is malformed.
    mutating func readUnsigned() throws(Failure) -> UInt64 {
        let start = position
        try skipNumber()
        var value: UInt64 = 0
        for index in start..<position {
            guard let digit = byte(index), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else {
                throw .malformed
            }
            let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
            let (sum, tooBigStill) = product.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !tooBig, !tooBigStill else { throw .malformed }
            value = sum
        }
        return value
    }

    mutating func readString() throws(Failure) -> String {
        try string(try readText())
    }

    /// A string's location in the text, without quotes and with its escapes unprocessed. Its form is validated.
    struct Text {
        let range: Range<Int>
        let hasEscapes: Bool
    }

    /// Moves past a string without creating one.
    mutating func readText() throws(Failure) -> Text {
        guard consume(UInt8(ascii: "\"")), let base = bytes.baseAddress else { throw .malformed }
        let start = position
        let count = bytes.count
        var end = start
        var hasEscapes = false
        // The top bits of its bytes: set if it isn't ASCII.
        var bits: UInt64 = 0
        while end < count {
            let word = JSONScan.word(base, at: end, of: count)
            let special = JSONScan.firstSpecial(in: word)
            guard special < 8 else {
                bits |= word
                end &+= 8
                // A longer text continues in steps of sixteen bytes.
                while end &+ 16 <= count {
                    let words = base.loadUnaligned(fromByteOffset: end, as: SIMD2<UInt64>.self)
                    guard JSONScan.isClean(words) else { break }
                    bits |= words[0] | words[1]
                    end &+= 16
                }
                continue
            }
            bits |= word & (1 << UInt64(special &* 8) &- 1)
            end &+= special
            // In bounds: `word` has spaces behind the text, which aren't special.
            switch base.load(fromByteOffset: end, as: UInt8.self) {
            case UInt8(ascii: "\""):
                let text = Text(range: start..<end, hasEscapes: hasEscapes)
                // The transport has checked that a text message is UTF-8; an embedder may not have.
                guard
                    bits & 0x8080_8080_8080_8080 == 0
                        || UTF8Validator.isValid(UnsafeRawBufferPointer(rebasing: bytes[text.range]))
                else { throw .malformed }
                position = end &+ 1
                return text
            case UInt8(ascii: "\\"):
                hasEscapes = true
                end &+= try escapeLength(at: end)
            // A control character.
            default: throw .malformed
            }
        }
        throw .malformed
    }

    /// The string at a location found by a `readText` of this reader.
    func string(_ text: Text) throws(Failure) -> String {
        guard text.hasEscapes else {
            return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[text.range]), as: UTF8.self)
        }
        return try unescape(text.range)
    }

    private func unescape(_ range: Range<Int>) throws(Failure) -> String {
        guard let base = bytes.baseAddress else { throw .malformed }
        var unescaped: [UInt8] = []
        unescaped.reserveCapacity(range.count)
        var index = range.lowerBound
        while true {
            // Only backslashes are special in a string that `readText` has validated.
            let escape = JSONScan.indexOfSpecial(base, from: index, to: range.upperBound)
            unescaped.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[index..<escape]))
            index = escape
            guard index < range.upperBound else { break }
            switch byte(index + 1) {
            case UInt8(ascii: "n"): unescaped.append(0x0A)
            case UInt8(ascii: "t"): unescaped.append(0x09)
            case UInt8(ascii: "r"): unescaped.append(0x0D)
            case UInt8(ascii: "b"): unescaped.append(0x08)
            case UInt8(ascii: "f"): unescaped.append(0x0C)
            case UInt8(ascii: "u"):
                let (scalar, length) = try readUnicodeEscape(at: index)
                unescaped.append(contentsOf: String(Character(scalar)).utf8)
                index += length
                continue
            case let literal?: unescaped.append(literal)
            case nil: throw .malformed
            }
            index += 2
        }
        return String(decoding: unescaped, as: UTF8.self)
    }

    /// `\uXXXX`, or two of them for a scalar above U+FFFF; a single surrogate is malformed (RFC 8259, section 8.2).
    private func readUnicodeEscape(at index: Int) throws(Failure) -> (Unicode.Scalar, length: Int) {
        let first = try readHex(at: index + 2)
        guard (0xD800...0xDBFF).contains(first) else {
            guard let scalar = Unicode.Scalar(first) else { throw .malformed }
            return (scalar, 6)
        }
        guard byte(index + 6) == UInt8(ascii: "\\"), byte(index + 7) == UInt8(ascii: "u") else { throw .malformed }
        let second = try readHex(at: index + 8)
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw .malformed }
        return (scalar, 12)
    }

    private func readHex(at index: Int) throws(Failure) -> UInt32 {
        var value: UInt32 = 0
        for offset in 0..<4 {
            switch byte(index + offset) {
            case let digit? where (0x30...0x39).contains(digit): value = value << 4 + UInt32(digit - 0x30)
            case let digit? where (0x41...0x46).contains(digit): value = value << 4 + UInt32(digit - 0x41 + 10)
            case let digit? where (0x61...0x66).contains(digit): value = value << 4 + UInt32(digit - 0x61 + 10)
            default: throw .malformed
            }
        }
        return value
    }

    // MARK: Scanning

    @inline(__always)
    private func byte(_ index: Int) -> UInt8? {
        index < bytes.count ? bytes[index] : nil
    }

    @inline(__always)
    mutating func skipWhitespace() {
        while let next = byte(position), next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 {
            position += 1
        }
    }

    @inline(__always)
    private mutating func consume(_ expected: UInt8) -> Bool {
        guard byte(position) == expected else { return false }
        position += 1
        return true
    }

    @inline(__always)
    private mutating func expect(_ expected: UInt8) throws(Failure) {
        skipWhitespace()
        guard consume(expected) else { throw .malformed }
    }

    private mutating func expectLiteral(_ literal: StaticString) throws(Failure) {
        let matches = literal.withUTF8Buffer { $0.allSatisfy { consume($0) } }
        guard matches else { throw .malformed }
    }

    /// The length of the escape at `index`, after validating it.
    private func escapeLength(at index: Int) throws(Failure) -> Int {
        switch byte(index + 1) {
        case UInt8(ascii: "u"): return try readUnicodeEscape(at: index).length
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        default: throw .malformed
        }
    }

    private mutating func skipNumber() throws(Failure) {
        _ = consume(UInt8(ascii: "-"))
        if !consume(UInt8(ascii: "0")) { try skipDigits() }
        if consume(UInt8(ascii: ".")) { try skipDigits() }
        if consume(UInt8(ascii: "e")) || consume(UInt8(ascii: "E")) {
            if !consume(UInt8(ascii: "+")) { _ = consume(UInt8(ascii: "-")) }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws(Failure) {
        let start = position
        while let next = byte(position), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(next) {
            position += 1
        }
        guard position > start else { throw .malformed }
    }
}
