/// Some of a user's rooms, ordered by the bytes of their names.
public struct RoomsPage: Hashable, Sendable {
    public var rooms: [RoomsPage.Room]
    /// Whether there are more after the last one.
    public var more: Bool

    public init(rooms: [RoomsPage.Room] = [], more: Bool = false) {
        self.rooms = rooms
        self.more = more
    }
}

extension RoomName {
    /// The order of rooms in pages.
    package static func precedes(_ left: RoomName, _ right: RoomName) -> Bool {
        left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
    }
}
