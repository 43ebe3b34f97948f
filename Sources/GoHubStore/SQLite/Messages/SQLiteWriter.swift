internal import GoHubCore

/// Appends batches, each in one transaction: everything or nothing. Belongs to the store's writing thread.
final class SQLiteWriter {
    /// The head of a room inside a transaction.
    private struct Head {
        let number: Int64
        let epoch: Epoch
        var offset: Int64
    }

    let connection: SQLiteConnection
    private let settings: StoreSettings
    private var window: Milliseconds { settings.idempotencyWindow }
    private let findRoom: SQLiteStatement
    private let makeRoom: SQLiteStatement
    private let moveHead: SQLiteStatement
    private let noteCommand: SQLiteStatement
    private let findCommand: SQLiteStatement
    private let addMessage: SQLiteStatement
    private let noteReceipt: SQLiteStatement
    private let sanctions: SQLiteSanctions
    private let changes: SQLiteChanges
    private let attachments: SQLiteAttachments

    init(
        _ connection: SQLiteConnection, _ attachments: SQLiteAttachments, _ settings: StoreSettings
    ) throws(StoreError) {
        self.connection = connection
        self.settings = settings
        self.attachments = attachments
        changes = try SQLiteChanges(connection, attachments, window: settings.idempotencyWindow)
        sanctions = try SQLiteSanctions(connection)
        findRoom = try connection.prepare(
            "SELECT \(SQLiteReader.HeadColumn.list) FROM room WHERE tenant = ?1 AND name = ?2")
        makeRoom = try connection.prepare(
            """
            INSERT INTO room (tenant, name, epoch, head) SELECT ?1, ?2, epoch, 0 FROM database
            RETURNING \(SQLiteReader.HeadColumn.list)
            """)
        moveHead = try connection.prepare("UPDATE room SET head = ?2 WHERE number = ?1")
        // Changes nothing when the command is known and inside its window: then it is a repetition.
        noteCommand = try connection.prepare(
            """
            INSERT INTO command (room, user, id, "offset", at, stored_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (room, user, id) DO UPDATE
            SET "offset" = excluded."offset", at = excluded.at, stored_at = excluded.stored_at
            WHERE command.stored_at <= ?7
            """)
        findCommand = try connection.prepare(
            "SELECT \(SQLiteChanges.CommandColumn.list) FROM command WHERE room = ?1 AND user = ?2 AND id = ?3")
        addMessage = try connection.prepare(SQLiteMessageColumns.insertMessage)
        // An offset never decreases, whoever writes last. ?7 is a `FollowColumn`, ?8 is now. A join is recorded again
        // after a while.
        noteReceipt = try connection.prepare(
            """
            INSERT INTO receipt (room, user, tenant, delivered, seen, is_followed, followed_at)
            SELECT number, ?4, tenant, ?5, ?6, ?7 <> 2, CASE ?7 WHEN 1 THEN ?8 ELSE 0 END FROM room
            WHERE tenant = ?1 AND name = ?2 AND epoch = ?3 AND head >= ?5
                AND (?7 <> 2 OR ?5 > 0 OR EXISTS (SELECT 1 FROM receipt WHERE room = number AND user = ?4))
            ON CONFLICT (room, user) DO UPDATE
            SET delivered = max(delivered, excluded.delivered), seen = max(seen, excluded.seen),
                is_followed = CASE ?7 WHEN 0 THEN is_followed ELSE excluded.is_followed END,
                followed_at = CASE ?7 WHEN 1 THEN ?8 ELSE followed_at END
            WHERE excluded.delivered > delivered OR excluded.seen > seen OR (?7 = 2 AND is_followed)
                OR (?7 = 1 AND (NOT is_followed OR followed_at <= ?8 - \(Following.refreshInterval.value)))
            """)
    }

    /// Stores receipts: all or none.
    func store(_ receipts: [ReceiptNote]) -> Result<Void, StoreError> {
        do throws(StoreError) {
            try connection.transaction { () throws(StoreError) in
                try noteReceipt.bind(settings.clock().milliseconds, at: 8)
                for note in receipts {
                    // A follower may be the first user of a room.
                    if note.follows == true { _ = try head(of: note.room) }
                    // An offset that is too large for the file is beyond every head.
                    try noteReceipt.run(
                        note.room.tenant.value, note.room.name.value, note.epoch.value, note.user.value,
                        Int64(clamping: note.receipt.delivered), Int64(clamping: note.receipt.seen),
                        FollowColumn(note.follows).rawValue)
                }
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    /// Stores mutes, bans and pardons: all or none.
    func store(_ notes: [SanctionNote]) -> Result<[SanctionNote.Outcome], StoreError> {
        do throws(StoreError) {
            return .success(
                try connection.transaction { () throws(StoreError) in
                    let now = settings.clock()
                    var outcomes: [SanctionNote.Outcome] = []
                    for note in notes { outcomes.append(try sanctions.apply(note, now: now)) }
                    return outcomes
                })
        } catch {
            return .failure(error)
        }
    }

    /// - Parameter now: the time at which the idempotency window ends.
    /// - Returns: an outcome for each draft, or the one error that prevented storing all of them.
    func append(_ drafts: [MessageDraft], now: WallTime) -> Result<[AppendOutcome], StoreError> {
        do throws(StoreError) {
            return .success(
                try connection.transaction { () throws(StoreError) in
                    var heads: [RoomID: Head] = [:]
                    var outcomes: [AppendOutcome] = []
                    outcomes.reserveCapacity(drafts.count)
                    // Bound values stay until they are bound again.
                    try noteCommand.bind(now.milliseconds, at: 6)
                    try noteCommand.bind(now.before(by: window).milliseconds, at: 7)
                    for draft in drafts { outcomes.append(try append(draft, &heads, now)) }
                    for head in heads.values {
                        try moveHead.run(head.number, head.offset)
                    }
                    return outcomes
                })
        } catch {
            return .failure(error)
        }
    }

    private func append(
        _ draft: MessageDraft, _ heads: inout [RoomID: Head], _ now: WallTime
    ) throws(StoreError) -> AppendOutcome {
        var head: Head
        if let known = heads[draft.room] { head = known } else { head = try self.head(of: draft.room) }
        let (offset, overflow) = head.offset.addingReportingOverflow(1)
        guard !overflow else { throw StoreError(.full, "A room has no offsets left.") }
        switch draft.content.kind {
        case .changeRequest(let request):
            let outcome = try changes.append(
                draft, request, room: head.number, epoch: head.epoch, offset: offset, now: now)
            if case .applied = outcome { head.offset = offset }
            heads[draft.room] = head
            return outcome
        case .attaching(let references):
            let outcome = try attach(references, draft, to: head, offset: offset, now: now)
            if case .attached = outcome { head.offset = offset }
            heads[draft.room] = head
            return outcome
        case .plain, .amended, .attached, .change:
            if let repeated = try repeated(draft, of: head, offset: offset) { return repeated }
            try add(draft, to: head, offset: offset)
            head.offset = offset
            heads[draft.room] = head
            return .stored(Position(epoch: head.epoch, offset: UInt64(offset)), at: draft.receivedAt)
        }
    }

    /// Stores a message with its files, if they exist. A repetition is recognised whether they exist or not.
    private func attach(
        _ references: [FileReference], _ draft: MessageDraft, to head: Head, offset: Int64, now: WallTime
    ) throws(StoreError) -> AppendOutcome {
        if let known = try changes.known(draft, head.number, head.epoch, now) { return known }
        guard let files = try attachments.find(references, in: draft.room) else { return .refused(.fileNotFound) }
        if let repeated = try repeated(draft, of: head, offset: offset) { return repeated }
        try add(draft, to: head, offset: offset)
        try attachments.hold(files, room: head.number, offset: offset)
        return .attached(Position(epoch: head.epoch, offset: UInt64(offset)), at: draft.receivedAt, files)
    }

    private func add(_ draft: MessageDraft, to head: Head, offset: Int64) throws(StoreError) {
        try SQLiteMessageColumns.bind(draft, room: head.number, offset: offset, to: addMessage)
        try addMessage.run()
    }

    /// Records the command at its offset, unless it is known.
    ///
    /// - Returns: the outcome of a draft that was stored before.
    private func repeated(
        _ draft: MessageDraft, of head: Head, offset: Int64
    ) throws(StoreError) -> AppendOutcome? {
        try noteCommand.run(head.number, draft.from.user.value, draft.id.value, offset, draft.receivedAt.milliseconds)
        guard connection.changes == 0 else { return nil }
        try findCommand.bind(head.number, draft.from.user.value, draft.id.value)
        guard try findCommand.step() else {
            throw StoreError(.corrupt, "A known command is missing from the database.")
        }
        defer { findCommand.reset() }
        let row = SQLiteRow<SQLiteChanges.CommandColumn>(findCommand)
        return .duplicate(Position(epoch: head.epoch, offset: row.offset(.offset)), at: row.time(.at))
    }

    private func head(of room: RoomID) throws(StoreError) -> Head {
        for statement in [findRoom, makeRoom] {
            try statement.bind(room.tenant.value, room.name.value)
            guard try statement.step() else { continue }
            let row = SQLiteRow<SQLiteReader.HeadColumn>(statement)
            let head = Head(
                number: row.integer(.number), epoch: Epoch(row.text(.epoch)), offset: row.integer(.head))
            // Runs to the end: only then has an inserting statement taken effect.
            while try statement.step() {}
            return head
        }
        throw StoreError(.corrupt, "The epoch is missing from \(connection.path). Restore it from a backup.")
    }
}
