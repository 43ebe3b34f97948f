internal import GoHubCore

/// Performs change requests inside the writer's transaction. Belongs to the store's writing thread.
final class SQLiteChanges {
    /// The columns of a command that was stored before.
    enum CommandColumn: Int, ResultColumn {
        case offset, at

        var sql: String {
            switch self {
            case .offset: "\"offset\""
            case .at: "\(self)"
            }
        }
    }

    /// The columns of a request's target.
    private enum TargetColumn: Int, ResultColumn {
        case author, text, amendments, hasFiles

        var sql: String {
            switch self {
            case .author: "user"
            case .text, .amendments: "\(self)"
            case .hasFiles: "files IS NOT NULL"
            }
        }
    }

    private let connection: SQLiteConnection
    private let attachments: SQLiteAttachments
    private let window: Milliseconds
    private let findCommand: SQLiteStatement
    private let noteCommand: SQLiteStatement
    private let findTarget: SQLiteStatement
    private let findOwn: SQLiteStatement
    private let findNumber: SQLiteStatement
    private let addChange: SQLiteStatement
    private let amend: SQLiteStatement
    private let addReaction: SQLiteStatement
    private let removeReaction: SQLiteStatement
    private let removeReactions: SQLiteStatement

    init(
        _ connection: SQLiteConnection, _ attachments: SQLiteAttachments, window: Milliseconds
    ) throws(StoreError) {
        self.connection = connection
        self.attachments = attachments
        self.window = window
        findCommand = try connection.prepare(
            """
            SELECT \(CommandColumn.list) FROM command WHERE room = ?1 AND user = ?2 AND id = ?3 AND stored_at > ?4
            """)
        noteCommand = try connection.prepare(
            "INSERT OR REPLACE INTO command (room, user, id, \"offset\", at, stored_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        )
        findTarget = try connection.prepare(
            "SELECT \(TargetColumn.list) FROM message WHERE room = ?1 AND \"offset\" = ?2")
        findOwn = try connection.prepare(
            "SELECT reaction FROM reaction WHERE room = ?1 AND target = ?2 AND user = ?3")
        findNumber = try connection.prepare(
            "SELECT number FROM fact WHERE room = ?1 ORDER BY \"offset\" DESC LIMIT 1")
        addChange = try connection.prepare(SQLiteMessageColumns.insertChange)
        amend = try connection.prepare(
            "UPDATE message SET text = ?3, amendments = ?4 WHERE room = ?1 AND \"offset\" = ?2")
        addReaction = try connection.prepare(
            "INSERT INTO reaction (room, target, user, reaction) VALUES (?1, ?2, ?3, ?4)")
        removeReaction = try connection.prepare(
            "DELETE FROM reaction WHERE room = ?1 AND target = ?2 AND user = ?3 AND reaction = ?4")
        removeReactions = try connection.prepare("DELETE FROM reaction WHERE room = ?1 AND target = ?2")
    }

    /// - Parameters:
    ///   - offset: the offset of the change, if it is stored.
    ///   - now: the time at which the idempotency window ends.
    /// - Returns: `.applied` with that offset, or an outcome that uses none.
    func append(
        _ draft: MessageDraft, _ request: ChangeRequest, room: Int64, epoch: Epoch, offset: Int64, now: WallTime
    ) throws(StoreError) -> AppendOutcome {
        if let known = try known(draft, room, epoch, now) { return known }
        let found = try target(request, room, by: draft.from.user)
        switch request.decision(by: draft.from.user, on: found?.target) {
        case .unchanged: return .unchanged(at: draft.receivedAt)
        case .refused(let refusal): return .refused(refusal)
        case .apply(let change):
            guard let found else { return .refused(.notFound) }
            try note(draft, room, offset, now)
            try add(change, draft, room, offset)
            let text =
                switch change.kind {
                case .edited: draft.text
                case .deleted: ""
                case .reaction: found.text
                }
            var amendments = found.target.amendments
            amendments.apply(
                change.kind, by: draft.from.user,
                Amendments.Mark(offset: UInt64(bitPattern: offset), at: draft.receivedAt))
            try amend.run(room, Int64(clamping: change.target), text, amendments.encoded)
            if found.hasFiles, case .deleted = change.kind {
                try attachments.clear(room: room, offset: Int64(clamping: change.target), now: now)
            }
            try keepReactions(change, room, by: draft.from.user)
            return .applied(Position(epoch: epoch, offset: UInt64(bitPattern: offset)), at: draft.receivedAt, change)
        }
    }

    // MARK: Looking

    /// - Returns: the outcome of a draft that was stored before, inside the window.
    func known(
        _ draft: MessageDraft, _ room: Int64, _ epoch: Epoch, _ now: WallTime
    ) throws(StoreError) -> AppendOutcome? {
        try findCommand.bind(room, draft.from.user.value, draft.id.value, now.before(by: window).milliseconds)
        guard try findCommand.step() else { return nil }
        defer { findCommand.reset() }
        let row = SQLiteRow<CommandColumn>(findCommand)
        return .duplicate(Position(epoch: epoch, offset: row.offset(.offset)), at: row.time(.at))
    }

    private func target(
        _ request: ChangeRequest, _ room: Int64, by user: UserID
    ) throws(StoreError) -> (target: ChangeRequest.Target, text: String, hasFiles: Bool)? {
        // An offset that is too large for the file is beyond every head.
        let offset = Int64(clamping: request.target)
        try findTarget.bind(room, offset)
        guard try findTarget.step() else { return nil }
        defer { findTarget.reset() }
        let row = SQLiteRow<TargetColumn>(findTarget)
        let amendments = row.isNull(.amendments) ? Amendments() : Amendments(encoded: row.text(.amendments))
        guard let author = UserID(row.text(.author)), let amendments else {
            throw .corruptRow("message", in: connection.path)
        }
        var own: Set<Reaction> = []
        if case .react = request.kind {
            try findOwn.bind(room, offset, user.value)
            while try findOwn.step() { if let reaction = Reaction(findOwn.text(0)) { own.insert(reaction) } }
        }
        let target = ChangeRequest.Target(author: author, amendments: amendments, own: own)
        return (target, row.text(.text), row.flag(.hasFiles))
    }

    // MARK: Storing

    private func note(_ draft: MessageDraft, _ room: Int64, _ offset: Int64, _ now: WallTime) throws(StoreError) {
        try noteCommand.run(
            room, draft.from.user.value, draft.id.value, offset, draft.receivedAt.milliseconds, now.milliseconds)
    }

    private func add(_ change: MessageChange, _ draft: MessageDraft, _ room: Int64, _ offset: Int64) throws(StoreError)
    {
        try findNumber.bind(room)
        let number = try findNumber.step() ? findNumber.integer(0) : 0
        findNumber.reset()
        try SQLiteMessageColumns.bind(
            ChangeColumns(change), draft, room: room, offset: offset, number: number &+ 1, to: addChange)
        try addChange.run()
    }

    private func keepReactions(_ change: MessageChange, _ room: Int64, by user: UserID) throws(StoreError) {
        let statement: SQLiteStatement
        switch change.kind {
        case .edited: return
        case .deleted: statement = removeReactions
        case .reaction(let reaction, let isRemoval, _):
            statement = isRemoval ? removeReaction : addReaction
            try statement.bind(user.value, at: 3)
            try statement.bind(reaction.value, at: 4)
        }
        try statement.run(room, Int64(clamping: change.target))
    }
}
