internal import GoHubCore

/// Writes mutes and bans, inside the transaction of the store's writing thread.
final class SQLiteSanctions {
    private enum KnownColumn: Int, ResultColumn {
        case isBan, until

        var sql: String {
            switch self {
            case .isBan: "is_ban"
            case .until: "until"
            }
        }
    }

    private let find: SQLiteStatement
    private let count: SQLiteStatement
    private let add: SQLiteStatement
    private let remove: SQLiteStatement
    private let endFollowing: SQLiteStatement

    init(_ connection: SQLiteConnection) throws(StoreError) {
        find = try connection.prepare(
            """
            SELECT \(KnownColumn.list) FROM sanction WHERE tenant = ?1 AND room = ?2 AND user = ?3 AND until > ?4
            """)
        count = try connection.prepare(
            "SELECT count(*) FROM sanction WHERE tenant = ?1 AND room = ?2 AND until > ?3")
        add = try connection.prepare(
            """
            INSERT INTO sanction (tenant, room, user, is_ban, until) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (tenant, room, user) DO UPDATE SET is_ban = excluded.is_ban, until = excluded.until
            """)
        remove = try connection.prepare("DELETE FROM sanction WHERE tenant = ?1 AND room = ?2 AND user = ?3")
        endFollowing = try connection.prepare(
            """
            UPDATE receipt SET is_followed = 0
            WHERE room = (SELECT number FROM room WHERE tenant = ?1 AND name = ?2) AND user = ?3
            """)
    }

    func apply(_ note: SanctionNote, now: WallTime) throws(StoreError) -> SanctionNote.Outcome {
        try bind(find, note)
        try find.bind(now.milliseconds, at: 4)
        var known: (isBan: Bool, left: Milliseconds)?
        if try find.step() {
            let row = SQLiteRow<KnownColumn>(find)
            known = (row.flag(.isBan), now.distance(to: row.time(.until)))
            find.reset()
        }
        let outcome = try SanctionNote.Outcome.decide(note, known: known) { () throws(StoreError) in
            try count.bind(note.room.tenant.value, note.room.name.value, now.milliseconds)
            guard try count.step() else { return 0 }
            defer { count.reset() }
            return Int(clamping: count.integer(0))
        }
        switch (outcome, note.kind) {
        case (.stored, .mute(let length)): try store(note, isBan: false, until: now.after(length))
        case (.stored, .ban(let length)):
            try store(note, isBan: true, until: now.after(length))
            try bind(endFollowing, note)
            try endFollowing.run()
        case (.lifted, _):
            try bind(remove, note)
            try remove.run()
        default: break
        }
        return outcome
    }

    private func store(_ note: SanctionNote, isBan: Bool, until: WallTime) throws(StoreError) {
        try bind(add, note)
        try add.bind(isBan ? 1 : 0, at: 4)
        try add.bind(until.milliseconds, at: 5)
        try add.run()
    }

    private func bind(_ statement: SQLiteStatement, _ note: SanctionNote) throws(StoreError) {
        try statement.bind(note.room.tenant.value, note.room.name.value, note.user.value)
    }
}
