/// A token's `rooms` claim: the union of its entries' permissions.
public struct Grants: Hashable, Sendable {
    /// The permissions in the plain rooms that match a pattern.
    public struct Entry: Hashable, Sendable {
        public let match: Grants.Pattern
        public let can: Permissions

        public init(match: Grants.Pattern, can: Permissions) {
            self.match = match
            self.can = can
        }
    }

    /// The most entries that a token may carry.
    public static let entriesMax = 64

    /// At most `entriesMax` from a token; not checked here. Without entries, no plain room is open.
    public let entries: [Entry]

    public init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// All permissions except moderation in every plain room: the policy for tokens without the claim.
    public static let participant = Grants(everywhere: [.read, .write])
    /// All permissions in every plain room.
    public static let moderator = Grants(everywhere: .all)

    private init(everywhere can: Permissions) {
        entries = Grants.Pattern("*").map { [Entry(match: $0, can: can)] } ?? []
    }

    /// A user's permissions in a room. In a direct conversation its two users read and write, and nobody moderates.
    public func permissions(of user: UserID, in room: RoomName) -> Permissions {
        if let (first, second) = room.participants {
            return user == first || user == second ? [.read, .write] : []
        }
        return entries.reduce(into: []) { permissions, entry in
            if entry.match.matches(room) { permissions.formUnion(entry.can) }
        }
    }
}
