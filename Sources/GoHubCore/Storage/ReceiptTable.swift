/// Receipts in memory, by room, and the rooms of each user. Not bounded by itself.
struct ReceiptTable {
    private struct Entry {
        var receipt = Receipt()
        /// Whether the user follows the room.
        var isFollower = true
    }

    private var byRoom: [RoomID: [UserID: Entry]] = [:]
    private var byUser: [UserKey: Set<RoomID>] = [:]
    private(set) var count = 0

    var rooms: some Collection<RoomID> { byRoom.keys }

    /// The rooms that the user follows.
    func rooms(of user: UserKey) -> Set<RoomID> {
        (byUser[user] ?? []).filter { byRoom[$0]?[user.user]?.isFollower == true }
    }

    func receipt(of user: UserID, in room: RoomID) -> Receipt { byRoom[room]?[user]?.receipt ?? Receipt() }

    func isKnown(_ user: UserID, in room: RoomID) -> Bool { byRoom[room]?[user] != nil }

    func list(_ room: RoomID, max: Int) -> [UserReceipt] {
        (byRoom[room] ?? [:]).prefix(max).map {
            UserReceipt(user: $0.key, $0.value.receipt, isFollower: $0.value.isFollower)
        }
    }

    mutating func advance(_ note: ReceiptNote) {
        var entry = byRoom[note.room]?[note.user] ?? Entry()
        entry.receipt.advance(to: note.receipt)
        if let follows = note.follows { entry.isFollower = follows }
        guard byRoom[note.room, default: [:]].updateValue(entry, forKey: note.user) == nil else { return }
        count += 1
        byUser[UserKey(tenant: note.room.tenant, user: note.user), default: []].insert(note.room)
    }

    /// Ends following; the user's receipt stays.
    mutating func endFollowing(_ user: UserID, _ room: RoomID) {
        byRoom[room]?[user]?.isFollower = false
    }

    mutating func forget(_ room: RoomID) {
        for user in (byRoom.removeValue(forKey: room) ?? [:]).keys {
            let key = UserKey(tenant: room.tenant, user: user)
            count -= 1
            byUser[key]?.remove(room)
            if byUser[key]?.isEmpty == true { byUser[key] = nil }
        }
    }
}
