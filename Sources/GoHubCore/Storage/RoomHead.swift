/// What one hub knows of a room, or what the store has of it: enough to notice that another hub has changed the room.
public struct RoomHead: Hashable, Sendable {
    /// The maximum number of rooms of one `MessageStore.readHeads`.
    public static let roomsMax = 1_000

    public var room: RoomID
    /// The room's epoch and its newest offset (0 for none).
    public var position: Position
    /// Identifies the room's mutes and bans: it differs when one was added, changed or removed. 0 stands for none, any
    /// other value has no meaning except to its store.
    public var sanctionsVersion: UInt64

    public init(room: RoomID, position: Position, sanctionsVersion: UInt64) {
        self.room = room
        self.position = position
        self.sanctionsVersion = sanctionsVersion
    }
}
