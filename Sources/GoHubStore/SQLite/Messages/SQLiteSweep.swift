internal import GoHubCore

/// Runs retention in steps that are short transactions, so that no append waits long for one. Belongs to the store's
/// writing thread.
final class SQLiteSweep {
    /// Exits: `sanctions` → `commands` → `rooms` → `receipts` → `done`.
    private enum Phase {
        /// Expired mutes and bans.
        case sanctions(all: Bool)
        /// Commands outside the window, after this one.
        case commands(after: CommandKey)
        /// Retention of the rooms after this number.
        case rooms(after: Int64)
        /// Receipts of users whose messages in the room were removed.
        case receipts(after: Int64, user: String)
        case done
    }

    private enum CommandColumn: Int, ResultColumn {
        case room, user, id, storedAt

        var sql: String {
            switch self {
            case .room, .user, .id: "\(self)"
            case .storedAt: "stored_at"
            }
        }
    }

    private enum RoomColumn: Int, ResultColumn {
        case number, head
    }

    /// The columns of a message or a change.
    private enum EntryColumn: Int, ResultColumn {
        case offset, at

        var sql: String {
            switch self {
            case .offset: "\"offset\""
            case .at: "at"
            }
        }
    }

    private enum ReceiptColumn: Int, ResultColumn {
        case room, user, delivered, followedAt

        var sql: String {
            switch self {
            case .room, .user, .delivered: "\(self)"
            case .followedAt: "CASE is_followed WHEN 0 THEN 0 ELSE followed_at END"
            }
        }
    }

    /// The bounds of a room's entries. The first is NULL if there are none.
    private enum BoundsColumn: Int, ResultColumn {
        case name, head, first

        var sql: String {
            switch self {
            case .name, .head: "\(self)"
            case .first:
                """
                (SELECT min("offset") FROM (
                    SELECT min("offset") AS "offset" FROM message WHERE message.room = room.number
                    UNION ALL SELECT min("offset") FROM fact WHERE fact.room = room.number))
                """
            }
        }
    }

    private struct CommandKey {
        var room = Int64.min
        var user = ""
        var id = ""
    }

    private let connection: SQLiteConnection
    private let attachments: SQLiteAttachments
    private let settings: StoreSettings
    private let nextCommands: SQLiteStatement
    private let forget: SQLiteStatement
    private let nextRooms: SQLiteStatement
    private let oldest: SQLiteStatement
    private let remove: [SQLiteStatement]
    private let nextReceipts: SQLiteStatement
    private let roomEnds: SQLiteStatement
    private let removeReceipt: SQLiteStatement
    private let removeEndedSanctions: SQLiteStatement
    private var receiptsDue: WallTime?
    private var phase = Phase.done
    /// The time when commands are due. Frequent scans would cost as much as an index by age, so commands stay up to a
    /// quarter longer than needed.
    private var commandsAt = MonotonicTime(nanoseconds: 0)
    /// The number of commands examined for each that may be removed.
    private static let looks = 4

    init(
        _ connection: SQLiteConnection, _ attachments: SQLiteAttachments, _ settings: StoreSettings
    ) throws(StoreError) {
        self.connection = connection
        self.attachments = attachments
        self.settings = settings
        nextCommands = try connection.prepare(
            """
            SELECT \(CommandColumn.list) FROM command WHERE (room, user, id) > (?1, ?2, ?3)
            ORDER BY room, user, id LIMIT ?4
            """)
        forget = try connection.prepare("DELETE FROM command WHERE room = ?1 AND user = ?2 AND id = ?3")
        nextRooms = try connection.prepare(
            "SELECT \(RoomColumn.list) FROM room WHERE number > ?1 ORDER BY number LIMIT ?2")
        oldest = try connection.prepare(
            """
            SELECT \(EntryColumn.list) FROM message WHERE room = ?1
            UNION ALL SELECT \(EntryColumn.list) FROM fact WHERE room = ?1
            ORDER BY "offset" LIMIT ?2
            """)
        remove = [
            try connection.prepare("DELETE FROM message WHERE room = ?1 AND \"offset\" <= ?2"),
            try connection.prepare("DELETE FROM fact WHERE room = ?1 AND \"offset\" <= ?2"),
            try connection.prepare("DELETE FROM reaction WHERE room = ?1 AND target <= ?2"),
        ]
        nextReceipts = try connection.prepare(
            """
            SELECT \(ReceiptColumn.list) FROM receipt WHERE (room, user) > (?1, ?2) ORDER BY room, user LIMIT ?3
            """)
        roomEnds = try connection.prepare("SELECT \(BoundsColumn.list) FROM room WHERE number = ?1")
        removeReceipt = try connection.prepare("DELETE FROM receipt WHERE room = ?1 AND user = ?2")
        removeEndedSanctions = try connection.prepare(
            """
            DELETE FROM sanction WHERE (tenant, room, user) IN (
                SELECT tenant, room, user FROM sanction WHERE until <= ?1 LIMIT ?2)
            """)
    }

    var isDone: Bool {
        if case .done = phase { true } else { false }
    }

    /// - Parameter all: whether to scan the commands even if they aren't due.
    func start(all: Bool = false) {
        phase = .sanctions(all: all)
    }

    private func startCommands(all: Bool) -> Phase {
        let now = MonotonicTime.now()
        guard all || commandsAt <= now else { return afterCommands }
        commandsAt = now + Milliseconds(settings.idempotencyWindow.value / 4)
        return .commands(after: CommandKey())
    }

    private func removeSanctions(all: Bool, _ rowsMax: Int) throws(StoreError) -> Phase {
        try removeEndedSanctions.run(settings.clock().milliseconds, Int64(rowsMax))
        return connection.changes < rowsMax ? startCommands(all: all) : .sanctions(all: all)
    }

    private var afterCommands: Phase { settings.retention.keepsAll ? .done : .rooms(after: .min) }

    /// - Parameter rowsMax: the approximate maximum of rows to remove or examine.
    func step(rowsMax: Int) throws(StoreError) {
        do throws(StoreError) {
            try connection.transaction { () throws(StoreError) in
                phase =
                    switch phase {
                    case .sanctions(let all): try removeSanctions(all: all, rowsMax)
                    case .commands(let key): try forgetCommands(after: key, rowsMax)
                    case .rooms(let number): try trimRooms(after: number, rowsMax)
                    case .receipts(let number, let user): try forgetReceipts(after: number, user, rowsMax)
                    case .done: .done
                    }
            }
        } catch {
            // The next sweep may succeed.
            phase = .done
            throw error
        }
    }

    private func forgetCommands(after key: CommandKey, _ rowsMax: Int) throws(StoreError) -> Phase {
        let tooOld = settings.clock().before(by: settings.idempotencyWindow).milliseconds
        let looksMax = Self.looks * rowsMax
        try nextCommands.bind(key.room, key.user, key.id, Int64(looksMax))
        var old: [CommandKey] = []
        var last = key
        var looks = 0
        let row = SQLiteRow<CommandColumn>(nextCommands)
        while try nextCommands.step() {
            looks += 1
            let isOld = row.integer(.storedAt) <= tooOld
            // Only the needed ones become strings.
            guard isOld || looks == looksMax else { continue }
            last = CommandKey(room: row.integer(.room), user: row.text(.user), id: row.text(.id))
            guard isOld else { continue }
            old.append(last)
            guard old.count < rowsMax else {
                nextCommands.reset()
                break
            }
        }
        for key in old {
            try forget.run(key.room, key.user, key.id)
        }
        return looks == looksMax || old.count == rowsMax ? .commands(after: last) : afterCommands
    }

    private func trimRooms(after number: Int64, _ rowsMax: Int) throws(StoreError) -> Phase {
        var rooms: [(number: Int64, head: Int64)] = []
        try nextRooms.bind(number, Int64(rowsMax))
        let row = SQLiteRow<RoomColumn>(nextRooms)
        while try nextRooms.step() { rooms.append((row.integer(.number), row.integer(.head))) }
        guard !rooms.isEmpty else { return startReceipts() }
        let tooOld = settings.retention.ageMax.map { settings.clock().before(by: $0).milliseconds } ?? .min
        var last = number
        var rowsLeft = rowsMax
        for room in rooms {
            let removed = try trim(room.number, head: room.head, tooOld: tooOld, rowsMax: rowsLeft)
            // A room that used up the rest may have more to remove.
            guard removed < rowsLeft else { break }
            rowsLeft -= max(1, removed)
            last = room.number
            guard rowsLeft > 0 else { break }
        }
        return .rooms(after: last)
    }

    // MARK: Receipts

    private func startReceipts() -> Phase {
        let now = settings.clock()
        guard settings.retention.ageMax != nil, receiptsDue.map({ $0 <= now }) ?? true else { return .done }
        receiptsDue = now.after(ForgottenReceipts.interval)
        return .receipts(after: .min, user: "")
    }

    private func forgetReceipts(after number: Int64, _ user: String, _ rowsMax: Int) throws(StoreError) -> Phase {
        let followedUntil = ForgottenReceipts.followedUntil(settings.retention, now: settings.clock()).milliseconds
        var part: [(room: Int64, user: String, delivered: Int64, followedAt: Int64)] = []
        try nextReceipts.bind(number, user, Int64(rowsMax))
        let row = SQLiteRow<ReceiptColumn>(nextReceipts)
        while try nextReceipts.step() {
            part.append(
                (row.integer(.room), row.text(.user), row.integer(.delivered), row.integer(.followedAt)))
        }
        guard let last = part.last else { return .done }
        var known: (room: Int64, keepsFrom: Int64)?
        for receipt in part {
            let keepsFrom = try known?.room == receipt.room ? known?.keepsFrom ?? 0 : self.keepsFrom(receipt.room)
            known = (receipt.room, keepsFrom)
            guard receipt.delivered < keepsFrom, receipt.followedAt <= followedUntil else { continue }
            try removeReceipt.run(receipt.room, receipt.user)
        }
        return part.count < rowsMax ? .done : .receipts(after: last.room, user: last.user)
    }

    private func keepsFrom(_ room: Int64) throws(StoreError) -> Int64 {
        try roomEnds.bind(room)
        // A receipt without its room belongs to nobody.
        guard try roomEnds.step() else { return .max }
        defer { roomEnds.reset() }
        let row = SQLiteRow<BoundsColumn>(roomEnds)
        return ForgottenReceipts.keepsFrom(
            room: row.text(.name), head: row.integer(.head), first: row.optionalInteger(.first), settings.retention)
    }

    // MARK: Messages

    /// Removes the oldest messages and changes, up to the first that must be kept: never one between kept entries.
    private func trim(_ room: Int64, head: Int64, tooOld: Int64, rowsMax: Int) throws(StoreError) -> Int {
        let tooMany = settings.retention.messagesPerRoomMax.map { head.subtractingReportingOverflow(Int64($0)) }
        let offsetMax = tooMany.map { $0.overflow ? .min : $0.partialValue } ?? .min
        try oldest.bind(room, Int64(rowsMax))
        let row = SQLiteRow<EntryColumn>(oldest)
        var last: Int64?
        var count = 0
        while try oldest.step() {
            guard row.integer(.offset) <= offsetMax || row.integer(.at) < tooOld else {
                oldest.reset()
                break
            }
            last = row.integer(.offset)
            count += 1
        }
        guard let last else { return 0 }
        for remove in remove {
            try remove.run(room, last)
        }
        try attachments.release(room: room, .min...last, now: settings.clock())
        return count
    }
}
