internal import GoHubCore

/// Compares rooms with what the hub knows of them, inside the transaction of the store's reading thread.
final class SQLiteHeads {
    private let room: SQLiteStatement
    private let database: SQLiteStatement
    private let sanctions: SQLiteStatement

    init(_ connection: SQLiteConnection) throws(StoreError) {
        room = try connection.prepare("SELECT epoch, head FROM room WHERE tenant = ?1 AND name = ?2")
        database = try connection.prepare("SELECT epoch, 0 FROM database")
        sanctions = try connection.prepare(
            "SELECT user || ' ' || is_ban || ' ' || until FROM sanction WHERE tenant = ?1 AND room = ?2 ORDER BY user")
    }

    /// The heads of those rooms that differ.
    func compare(_ known: [RoomHead]) throws(StoreError) -> [RoomHead] {
        var changed: [RoomHead] = []
        for known in known {
            let position = try position(of: known.room)
            let stored = RoomHead(
                room: known.room, position: position, sanctionsVersion: try version(of: known.room))
            if stored != known { changed.append(stored) }
        }
        return changed
    }

    private func position(of id: RoomID) throws(StoreError) -> Position {
        try room.bind(id.tenant.value, id.name.value)
        defer { room.reset() }
        if try room.step() { return position(room) }
        defer { database.reset() }
        // A file without an epoch is reported by the room's first page.
        return try database.step() ? position(database) : Position(epoch: Epoch(""), offset: 0)
    }

    private func position(_ row: SQLiteStatement) -> Position {
        Position(epoch: Epoch(row.text(0)), offset: UInt64(bitPattern: row.integer(1)))
    }

    /// A room's mutes and bans as one number, 0 for none.
    func version(of id: RoomID) throws(StoreError) -> UInt64 {
        try sanctions.bind(id.tenant.value, id.name.value)
        defer { sanctions.reset() }
        var hash = StableHash(key: PlacementKey(low: 0, high: 0))
        var isEmpty = true
        while try sanctions.step() {
            hash.combine(sanctions.text(0))
            isEmpty = false
        }
        return isEmpty ? 0 : max(1, hash.finalize())
    }
}
