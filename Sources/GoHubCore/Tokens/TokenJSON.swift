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
        let result = bytes.withUnsafeBytes { text -> Result<TokenJSON, JSONReader.Failure> in
            var reader = JSONReader(text, depthMax: Self.depthMax)
            do throws(JSONReader.Failure) {
                let tree = try TokenJSON(from: &reader, depth: 0)
                try reader.readEnd()
                return .success(tree)
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let tree): self = tree
        case .failure(.malformed): throw Malformed(reason: "its syntax is wrong")
        case .failure(.tooDeep): throw Malformed(reason: "it nests too deep")
        case .failure(.repeatedName): throw Malformed(reason: "a member name is repeated")
        case .failure(.outOfRange): throw Malformed(reason: "a number is out of range")
        }
    }

    /// Recursive, and no deeper than `depthMax`, which bounds the stack.
    private init(from reader: inout JSONReader, depth: Int) throws(JSONReader.Failure) {
        reader.skipWhitespace()
        switch try reader.peekKind() {
        case .null:
            try reader.readNull()
            self = .null
        case .bool: self = .bool(try reader.readBool())
        case .number: self = .number(try reader.readNumber())
        case .string: self = .string(try reader.readString())
        case .array:
            guard depth < Self.depthMax else { throw .tooDeep }
            var elements: [TokenJSON] = []
            try reader.readArray { reader throws(JSONReader.Failure) in
                elements.append(try TokenJSON(from: &reader, depth: depth + 1))
            }
            self = .array(elements)
        case .object:
            guard depth < Self.depthMax else { throw .tooDeep }
            var members: [String: TokenJSON] = [:]
            try reader.readMembers { name, reader throws(JSONReader.Failure) in
                let value = try TokenJSON(from: &reader, depth: depth + 1)
                guard members.updateValue(value, forKey: name) == nil else { throw .repeatedName }
            }
            self = .object(members)
        }
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

#endif
