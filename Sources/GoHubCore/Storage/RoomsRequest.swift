/// Asks for a user's rooms: those which the user follows, or has a receipt in and never left, and which the grants let the
/// user read. Rooms that the user is banned from now are left out.
public struct RoomsRequest: Hashable, Sendable {
    public var user: UserKey
    public var grants: Grants
    /// Only rooms whose names come after this one.
    public var after: RoomName?
    public var roomsMax: Int
    /// Bytes of the last messages' texts, after which the page ends; one room always fits.
    public var bytesMax: Int

    public init(user: UserKey, grants: Grants, after: RoomName? = nil, roomsMax: Int, bytesMax: Int) {
        self.user = user
        self.grants = grants
        self.after = after
        self.roomsMax = roomsMax
        self.bytesMax = bytesMax
    }

    /// Whether the user may read a room. Only the two users of a direct conversation get receipts in it.
    public func opens(_ room: RoomName) -> Bool {
        grants.permissions(of: user.user, in: room).contains(.read)
    }
}
