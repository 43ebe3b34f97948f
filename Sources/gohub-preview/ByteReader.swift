/// Reads bytes from the front; missing bytes are an error.
struct ByteReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    var isAtEnd: Bool { rest.isEmpty }
    var count: Int { rest.count }
    /// The unread bytes.
    var remaining: ArraySlice<UInt8> { rest }

    mutating func byte() throws(Malformed) -> UInt8 {
        guard let byte = rest.popFirst() else { throw Malformed() }
        return byte
    }

    mutating func bytes(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
        guard count >= 0, count <= rest.count else { throw Malformed() }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func skip(_ count: Int) throws(Malformed) {
        _ = try bytes(count)
    }

    /// Continues after the next byte with this value.
    mutating func skip(through value: UInt8) throws(Malformed) {
        guard let index = rest.firstIndex(of: value) else { throw Malformed() }
        rest = rest[(index + 1)...]
    }

    /// - Parameter count: of bytes, at most 4.
    mutating func bigEndian(_ count: Int) throws(Malformed) -> Int {
        try bytes(count).reduce(0) { $0 << 8 | Int($1) }
    }

    /// - Parameter count: of bytes, at most 4.
    mutating func littleEndian(_ count: Int) throws(Malformed) -> Int {
        try bytes(count).reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// Reads a required text.
    mutating func expect(_ text: String) throws(Malformed) {
        guard try bytes(text.utf8.count).elementsEqual(text.utf8) else { throw Malformed() }
    }
}
