/// A request for a user's rooms: those which the user follows, or in which the user has a receipt and which they never
/// left, and which the grants allow the user to read. Rooms from which the user is banned now are excluded.
public struct RoomsRequest: Hashable, Sendable {
    public var user: UserKey
    /// The page has only rooms that these grants let the user read.
    public var grants: Grants
    /// Only rooms with names after this one.
    public var after: RoomName?
    /// The maximum number of rooms in the page.
    public var roomsMax: Int
    /// Bytes of JSON (`RoomsPage.Room.answerBytes`) after which the page ends; one room always fits.
    public var bytesMax: Int

    public init(user: UserKey, grants: Grants, after: RoomName? = nil, roomsMax: Int, bytesMax: Int) {
        self.user = user
        self.grants = grants
        self.after = after
        self.roomsMax = roomsMax
        self.bytesMax = bytesMax
    }

    /// Whether the user may read a room. Only the two users of a direct conversation have receipts in it.
    public func opens(_ room: RoomName) -> Bool {
        grants.permissions(of: user.user, in: room).contains(.read)
    }
}
