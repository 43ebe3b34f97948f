/// What a moderator does to a user in a room.
public struct Sanction: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Out of the room now; may come back.
        case kick
        /// May read but not write.
        case mute(minutes: UInt64)
        /// Out of the room, and may not come back.
        case ban(minutes: UInt64)
        /// Neither muted nor banned any longer.
        case pardon
    }

    public var kind: Kind
    public var user: UserID
    public var by: Member

    public init(_ kind: Kind, user: UserID, by: Member) {
        self.kind = kind
        self.user = user
        self.by = by
    }
}
