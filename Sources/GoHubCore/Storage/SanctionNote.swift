/// A mute, a ban or a pardon on its way into the store.
public struct SanctionNote: Hashable, Sendable {
    /// The sanction with its length from now.
    public enum Kind: Hashable, Sendable {
        /// The user may read but not write.
        case mute(Milliseconds)
        /// The user may neither read nor write, and no longer follows the room.
        case ban(Milliseconds)
        /// Ends a mute or a ban.
        case pardon
    }

    public var room: RoomID
    public var user: UserID
    public var kind: Kind
    /// The maximum number of users muted or banned in the room; more are refused with `tooMany`.
    public var perRoomMax: Int

    public init(room: RoomID, user: UserID, _ kind: Kind, perRoomMax: Int) {
        self.room = room
        self.user = user
        self.kind = kind
        self.perRoomMax = perRoomMax
    }
}
