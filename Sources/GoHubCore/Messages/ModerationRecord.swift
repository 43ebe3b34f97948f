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
