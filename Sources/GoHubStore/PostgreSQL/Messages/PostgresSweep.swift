internal import GoHubCore

/// Runs retention in short transactions on the writer's connection, on one node at a time.
final class PostgresSweep {
    /// Exits: `waiting` → `sanctions` → `directNews` → `commands` → `rooms` → `receipts` → `waiting`.
    private enum Phase {
        case waiting
        /// Expired mutes and bans.
        case sanctions
        /// Old rows of the list of direct news.
        case directNews
        /// Commands outside the window, on the pages of their table from this one on.
        case commands(page: Int64, of: Int64)
        case rooms(after: Int64)
        case receipts(after: Int64, reader: String)
    }

    /// The columns of a room with old entries: the last of them, NULL if there are none, and their number.
    enum OldColumn: Int, ResultColumn {
        case room, offset, messages

        var sql: String {
            switch self {
            case .room: "room.number"
            case .offset: "old.\"offset\""
            case .messages: "old.messages"
            }
        }
    }

    /// The columns of a receipt, with the bounds of its room.
    private enum ReceiptColumn: Int, ResultColumn {
        case room, reader, name, head, first, delivered, followedAt

        var sql: String {
            switch self {
            case .room, .reader, .delivered: "part.\(self)"
            case .name, .head: "room.\(self)"
            case .first:
                """
                least(
                    (SELECT min("offset") FROM gohub_message WHERE gohub_message.room = part.room),
                    (SELECT min("offset") FROM gohub_fact WHERE gohub_fact.room = part.room))
                """
            case .followedAt: "part.followed_at"
            }
        }
    }

    /// Rooms examined by a step.
    private static let roomsMax = 50

    private let settings: StoreSettings
    private let timeout: Milliseconds
    private var phase = Phase.waiting
    private var next: MonotonicTime
    private var receiptsDue: WallTime?
    /// The time when commands are due; see `SQLiteSweep`.
    private var commandsAt = MonotonicTime(nanoseconds: 0)
    /// The number of commands examined for each that may be removed, and the approximate number per page of their
    /// table.
    private static let looks = 4
    private static let commandsPerPage = 80

    init(_ settings: StoreSettings, timeout: Milliseconds) {
        self.settings = settings
        self.timeout = timeout
        next = .now() + settings.sweepInterval
    }

    /// The time of the next step.
    var due: MonotonicTime {
        if case .waiting = phase { next } else { MonotonicTime(nanoseconds: 0) }
    }

    /// Resets the state for a new connection: the lock ended with the old one.
    func forget() {
        phase = .waiting
    }

    /// Runs all steps now; none while another node runs retention.
    func all(_ connection: PostgresConnection) throws(PostgresFailure) {
        commandsAt = MonotonicTime(nanoseconds: 0)
        repeat { try step(connection, rowsMax: 500) } while due <= .now()
    }

    /// - Parameter rowsMax: the approximate maximum of rows to remove.
    func step(_ connection: PostgresConnection, rowsMax: Int) throws(PostgresFailure) {
        do throws(PostgresFailure) {
            switch phase {
            case .waiting:
                next = .now() + settings.sweepInterval
                let locked = try run(connection, "begin_sweep", [])
                if locked.flag(0, 0) { phase = .sanctions }
            case .sanctions:
                let removed = try run(connection, "remove_ended_sanctions", [.bigint(Int64(rowsMax))])
                if removed.rows < rowsMax { phase = .directNews }
            case .directNews:
                let removed = try run(connection, "remove_old_direct", [.bigint(Int64(rowsMax))])
                if removed.rows < rowsMax { try startCommands(connection) }
            case .commands(let page, let count): try forgetCommands(connection, page, of: count, rowsMax)
            case .rooms(let number): try trim(connection, after: number, rowsMax)
            case .receipts(let number, let reader):
                try forgetReceipts(connection, after: number, reader, rowsMax)
            }
        } catch {
            if !error.endsConnection { try? end(connection) }
            phase = .waiting
            throw error
        }
    }

    private func startCommands(_ connection: PostgresConnection) throws(PostgresFailure) {
        let now = MonotonicTime.now()
        guard commandsAt <= now else { return try startRooms(connection) }
        commandsAt = now + Milliseconds(settings.idempotencyWindow.value / 4)
        phase = .commands(page: 0, of: try run(connection, "count_pages", []).integer(0, 0))
    }

    private func forgetCommands(
        _ connection: PostgresConnection, _ page: Int64, of count: Int64, _ rowsMax: Int
    ) throws(PostgresFailure) {
        guard page < count else { return try startRooms(connection) }
        let limit = settings.clock().before(by: settings.idempotencyWindow)
        let pages = Int64(max(1, Self.looks * rowsMax / Self.commandsPerPage))
        _ = try run(connection, "forget", [.bigint(limit.milliseconds), .bigint(page), .bigint(pages)])
        phase = .commands(page: page + pages, of: count)
    }

    private func startRooms(_ connection: PostgresConnection) throws(PostgresFailure) {
        if settings.retention.keepsAll { try end(connection) } else { phase = .rooms(after: 0) }
    }

    private func trim(
        _ connection: PostgresConnection, after number: Int64, _ rowsMax: Int
    ) throws(PostgresFailure) {
        let perRoom = Int64(max(1, rowsMax / Self.roomsMax))
        let retention = settings.retention
        let tooOld = retention.ageMax.map { settings.clock().before(by: $0).milliseconds } ?? .min
        let result = try run(
            connection, "find_old",
            [
                .bigint(number), .bigint(Int64(Self.roomsMax)), .bigint(perRoom),
                // Half of the range, so that subtracting it from a head can't overflow.
                .bigint(retention.messagesPerRoomMax.map { Int64($0) } ?? .max / 2), .bigint(tooOld),
            ])
        let rows = result.each(OldColumn.self)
        guard let end = rows.last else { return try startReceipts(connection) }
        let old = Array(rows.filter { !$0.isNull(.offset) })
        if !old.isEmpty {
            let now = settings.clock().milliseconds
            let removals = old.flatMap { row -> [PostgresConnection.Command] in
                let (room, last) = (row.integer(.room), row.integer(.offset))
                return ["remove_old", "remove_old_facts", "remove_old_reactions"].map { name in
                    .run(name: name, [.bigint(room), .bigint(last)])
                } + [.run(name: "release_files", [.bigint(room), .bigint(0), .bigint(last), .bigint(now)])]
            }
            _ = try connection.transaction([.run(name: "lock_files", [])] + removals, deadline: .now() + timeout)
        }
        // A room that used up its share may have more to remove: then the same rooms are processed again.
        let hasMore = old.contains { $0.integer(.messages) >= perRoom }
        if !hasMore { phase = .rooms(after: end.integer(.room)) }
    }

    // MARK: Receipts

    private func startReceipts(_ connection: PostgresConnection) throws(PostgresFailure) {
        let now = settings.clock()
        guard settings.retention.ageMax != nil, receiptsDue.map({ $0 <= now }) ?? true else {
            return try end(connection)
        }
        receiptsDue = now.after(ForgottenReceipts.interval)
        phase = .receipts(after: 0, reader: "")
    }

    private func forgetReceipts(
        _ connection: PostgresConnection, after number: Int64, _ reader: String, _ rowsMax: Int
    ) throws(PostgresFailure) {
        let part = try run(
            connection, "next_receipts", [.bigint(number), .text(reader), .bigint(Int64(rowsMax))])
        let rows = part.each(ReceiptColumn.self)
        guard let end = rows.last else { return try self.end(connection) }
        // They come in the order of the rooms: the limits of one room are the same in all of its rows.
        let followedUntil = ForgottenReceipts.followedUntil(settings.retention, now: settings.clock()).milliseconds
        var commands: [PostgresConnection.Command] = []
        var last: Int64?
        for (place, row) in zip(rows.indices, rows) where row.integer(.room) != last {
            let room = row.integer(.room)
            last = room
            let keepsFrom = ForgottenReceipts.keepsFrom(
                room: row.text(.name), head: row.integer(.head), first: row.optionalInteger(.first),
                settings.retention)
            let ofRoom = rows[place...].prefix { $0.integer(.room) == room }
            let old = ofRoom.filter { $0.integer(.delivered) < keepsFrom && $0.integer(.followedAt) <= followedUntil }
            let readers = Array(old.map { $0.text(.reader) })
            guard !readers.isEmpty else { continue }
            commands.append(
                .run(
                    name: "forget_receipts",
                    [.bigint(room), .bigint(keepsFrom), .texts(readers), .bigint(followedUntil)]))
        }
        if !commands.isEmpty { _ = try connection.transaction(commands, deadline: .now() + timeout) }
        if part.rows < rowsMax {
            try self.end(connection)
        } else {
            phase = .receipts(after: end.integer(.room), reader: end.text(.reader))
        }
    }

    static let statements: [PostgresConnection.Command] = [
        // $3 receipts after reader $2 in room $1, each with the bounds of its room.
        .prepare(
            name: "next_receipts",
            sql: """
                SELECT \(ReceiptColumn.list)
                FROM (
                    SELECT room, reader, delivered, CASE WHEN is_followed THEN followed_at ELSE 0 END AS followed_at
                    FROM gohub_receipt WHERE (room, reader) > ($1, $2)
                    ORDER BY room, reader LIMIT $3
                ) part JOIN gohub_room room ON room.number = part.room
                ORDER BY part.room, part.reader
                """, [.bigint, .text, .bigint]),
        // A receipt that has grown since stays.
        .prepare(
            name: "forget_receipts",
            sql: """
                DELETE FROM gohub_receipt WHERE room = $1 AND delivered < $2 AND reader = ANY ($3::text[])
                    AND (NOT is_followed OR followed_at <= $4)
                """, [.bigint, .bigint, .textArray, .bigint]),
    ]

    private func end(_ connection: PostgresConnection) throws(PostgresFailure) {
        phase = .waiting
        _ = try run(connection, "end_sweep", [])
    }

    private func run(
        _ connection: PostgresConnection, _ name: String, _ parameters: [PostgresParameter]
    ) throws(PostgresFailure) -> PostgresResult {
        let results = try connection.run([.run(name: name, parameters)], deadline: .now() + timeout)
        // There are as many results as commands.
        return results[0]
    }
}
