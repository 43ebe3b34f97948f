/// What a session may do in a room.
public struct Permissions: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Join, read history, see members.
    public static let read = Permissions(rawValue: 1)
    /// Send messages and typing.
    public static let write = Permissions(rawValue: 2)
    /// Kick, mute and ban.
    public static let moderate = Permissions(rawValue: 4)

    public static let all: Permissions = [.read, .write, .moderate]
}

/// Which plain room names a grant speaks of: a name, or a prefix and `*`.
///
/// `*` alone matches every plain room. Direct conversations are never matched: they belong to their two users.
public struct RoomPattern: Hashable, Sendable, CustomStringConvertible {
    private let prefix: String
    private let isPrefix: Bool

    /// - Parameter pattern: at most 65 bytes, `*` only as the last character; `nil` otherwise.
    public init?(_ pattern: String) {
        isPrefix = pattern.hasSuffix("*")
        prefix = isPrefix ? String(pattern.dropLast()) : pattern
        guard !prefix.utf8.contains(UInt8(ascii: "*")) else { return nil }
        guard prefix.isEmpty ? isPrefix : RoomName.isPlainName(prefix) else { return nil }
    }

    public func matches(_ room: RoomName) -> Bool {
        guard !room.isDirect else { return false }
        return isPrefix ? room.value.utf8.starts(with: prefix.utf8) : room.value == prefix
    }

    /// The pattern as it is written in a token.
    public var description: String { isPrefix ? prefix + "*" : prefix }
}

/// A token's `rooms` claim: the union of what each entry allows.
public struct Grants: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public let match: RoomPattern
        public let can: Permissions

        public init(match: RoomPattern, can: Permissions) {
            self.match = match
            self.can = can
        }
    }

    /// The most entries that a token may carry.
    public static let entriesMax = 64

    public let entries: [Entry]

    public init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// Everything in every plain room, moderation excepted: the policy for tokens without the claim.
    public static let participant = Grants(everywhere: [.read, .write])
    /// Everything in every plain room.
    public static let moderator = Grants(everywhere: .all)

    private init(everywhere can: Permissions) {
        entries = RoomPattern("*").map { [Entry(match: $0, can: can)] } ?? []
    }

    /// What a user may do in a room. In a direct conversation its two users read and write, and nobody moderates.
    public func permissions(of user: UserID, in room: RoomName) -> Permissions {
        if let (first, second) = room.participants {
            return user == first || user == second ? [.read, .write] : []
        }
        return entries.reduce(into: []) { permissions, entry in
            if entry.match.matches(room) { permissions.formUnion(entry.can) }
        }
    }
}
