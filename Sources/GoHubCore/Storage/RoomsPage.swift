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

/// Some of a user's rooms, in the order of the bytes of their names.
public struct RoomsPage: Hashable, Sendable {
    public var rooms: [UserRoom]
    /// Whether there are more after the last one.
    public var more: Bool

    public init(rooms: [UserRoom] = [], more: Bool = false) {
        self.rooms = rooms
        self.more = more
    }
}

/// Where a room stands for one of its users.
public struct UserRoom: Hashable, Sendable {
    public var room: RoomName
    public var head: Position
    public var receipt: Receipt
    /// Of the entries after what was seen, those that are facts.
    public var facts: Offset
    /// The newest message, which may have facts behind it; `nil` when retention has taken it.
    public var last: StoredMessage?

    public init(room: RoomName, head: Position, receipt: Receipt, facts: Offset = 0, last: StoredMessage?) {
        self.room = room
        self.head = head
        self.receipt = receipt
        self.facts = facts
        self.last = last
    }

    /// How many messages came after what was seen. One's own messages are seen.
    public var unread: Offset {
        let entries = head.offset - min(head.offset, receipt.seen)
        return entries - min(entries, facts)
    }
}

extension RoomName {
    /// The order of pages of rooms.
    package static func precedes(_ left: RoomName, _ right: RoomName) -> Bool {
        left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
    }
}
