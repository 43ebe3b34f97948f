extension Grants {
    /// A grant's room pattern: a name, or a prefix and `*`.
    ///
    /// `*` alone matches every plain room. A pattern never matches a direct conversation, which belongs to its two
    /// users.
    public struct Pattern: Hashable, Sendable, CustomStringConvertible {
        private let prefix: String
        private let isPrefix: Bool

        /// - Parameter pattern: a plain room's name, or up to 64 bytes of the start of one followed by `*`, or `*`
        ///   alone; `nil` otherwise.
        public init?(_ pattern: String) {
            isPrefix = pattern.hasSuffix("*")
            prefix = isPrefix ? String(pattern.dropLast()) : pattern
            guard !prefix.utf8.contains(UInt8(ascii: "*")) else { return nil }
            guard prefix.isEmpty ? isPrefix : RoomName.isPlainName(prefix) else { return nil }
        }

        /// Whether the pattern covers the room; false for every direct conversation.
        public func matches(_ room: RoomName) -> Bool {
            guard !room.isDirect else { return false }
            return isPrefix ? room.value.utf8.starts(with: prefix.utf8) : room.value == prefix
        }

        /// The pattern as written in a token.
        public var description: String { isPrefix ? prefix + "*" : prefix }
    }
}
