/// A moderator's action on a user in a room.
public struct Sanction: Hashable, Sendable {
    /// The action, with the length in minutes, at least 1. The hub limits it to `Limits.sanctionMinutesMax`.
    public enum Kind: Hashable, Sendable {
        /// Removes the user from the room; they may rejoin.
        case kick
        /// The user may read but not write.
        case mute(minutes: UInt64)
        /// Removes the user from the room and prevents rejoining.
        case ban(minutes: UInt64)
        /// Ends a mute or a ban.
        case pardon
    }

    public var kind: Kind
    /// The user on whom the moderator acts.
    public var user: UserID
    /// The moderator, as named in the room's notice.
    public var by: Member

    public init(_ kind: Kind, user: UserID, by: Member) {
        self.kind = kind
        self.user = user
        self.by = by
    }
}
