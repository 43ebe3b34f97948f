/// A value of a reply, without its bytes: they stay where they were received.
///
/// A reply is a sequence of tokens: an array is followed by its elements.
package enum RESPToken: Hashable, Sendable {
    /// The place of a simple string, counted from the reply's first byte.
    case simple(Range<Int>)
    /// The place of an error's text.
    case error(Range<Int>)
    case integer(Int64)
    /// The place of a bulk string.
    case bulk(Range<Int>)
    /// An array with this many elements, which follow.
    case array(Int)
    /// A null bulk string, or a null array.
    case null
}

/// A reply as a tree, with copies of its bytes: for replies that are rare.
package enum RESPValue: Hashable, Sendable {
    case simple([UInt8])
    case error([UInt8])
    case integer(Int64)
    case bulk([UInt8])
    case array([RESPValue])
    case null

    /// The text of a simple or bulk string; `nil` for any other value, and for bytes that aren't UTF-8.
    package var text: String? {
        switch self {
        case .simple(let bytes), .bulk(let bytes): String(validating: bytes, as: UTF8.self)
        case .error, .integer, .array, .null: nil
        }
    }

    package var elements: [RESPValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}
