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

/// What a moderator has done, for an audit log. Holds no text of a message.
public struct ModerationRecord: Hashable, Sendable {
    public var room: RoomID
    /// With the minutes that it has in effect.
    public var sanction: Sanction
    /// Whether the server API asked for it; else it was a session.
    public var isByService: Bool

    public init(room: RoomID, sanction: Sanction, isByService: Bool) {
        self.room = room
        self.sanction = sanction
        self.isByService = isByService
    }
}
