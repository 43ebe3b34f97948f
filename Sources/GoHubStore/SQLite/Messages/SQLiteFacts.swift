internal import GoHubCore

/// Carries out wishes inside the writer's transaction. Belongs to the store's writing thread.
final class SQLiteFacts {
    private let connection: SQLiteConnection
    private let attachments: SQLiteAttachments
    private let window: Milliseconds
    private let findCommand: SQLiteStatement
    private let noteCommand: SQLiteStatement
    private let findTarget: SQLiteStatement
    private let findOwn: SQLiteStatement
    private let findNumber: SQLiteStatement
    private let addFact: SQLiteStatement
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
            "SELECT \"offset\", at FROM command WHERE room = ?1 AND user = ?2 AND id = ?3 AND stored_at > ?4")
        noteCommand = try connection.prepare(
            "INSERT OR REPLACE INTO command (room, user, id, \"offset\", at, stored_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        )
        findTarget = try connection.prepare(
            "SELECT user, text, amendments, files IS NOT NULL FROM message WHERE room = ?1 AND \"offset\" = ?2")
        findOwn = try connection.prepare(
            "SELECT reaction FROM reaction WHERE room = ?1 AND target = ?2 AND user = ?3")
        findNumber = try connection.prepare(
            "SELECT number FROM fact WHERE room = ?1 ORDER BY \"offset\" DESC LIMIT 1")
        addFact = try connection.prepare(
            """
            INSERT INTO fact (room, "offset", id, user, name, at, target, kind, reaction, total, number)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
            """)
        amend = try connection.prepare(
            "UPDATE message SET text = ?3, amendments = ?4 WHERE room = ?1 AND \"offset\" = ?2")
        addReaction = try connection.prepare(
            "INSERT INTO reaction (room, target, user, reaction) VALUES (?1, ?2, ?3, ?4)")
        removeReaction = try connection.prepare(
            "DELETE FROM reaction WHERE room = ?1 AND target = ?2 AND user = ?3 AND reaction = ?4")
        removeReactions = try connection.prepare("DELETE FROM reaction WHERE room = ?1 AND target = ?2")
    }

    /// - Parameters:
    ///   - offset: what the fact gets, if there is one.
    ///   - now: what the window of idempotency counts from.
    /// - Returns: `.applied` with that offset, or an outcome that uses none.
    func append(
        _ draft: MessageDraft, _ wish: Wish, room: Int64, epoch: Epoch, offset: Int64, now: WallTime
    ) throws(StoreError) -> AppendOutcome {
        if let known = try known(draft, room, epoch, now) { return known }
        let found = try target(wish, room, by: draft.from.user)
        switch wish.verdict(by: draft.from.user, on: found?.target) {
        case .unchanged: return .unchanged(at: draft.receivedAt)
        case .refused(let refusal): return .refused(refusal)
        case .apply(let fact):
            guard let found else { return .refused(.notFound) }
            try note(draft, room, offset, now)
            try add(fact, draft, room, offset)
            let text =
                switch fact.kind {
                case .edited: draft.text
                case .deleted: ""
                case .reaction: found.text
                }
            var amendments = found.target.amendments
            amendments.apply(
                fact.kind, by: draft.from.user,
                Amendments.Mark(offset: UInt64(bitPattern: offset), at: draft.receivedAt))
            try amend.bind(1, room)
            try amend.bind(2, Int64(clamping: fact.target))
            try amend.bind(3, text)
            try amend.bind(4, amendments.encoded)
            try amend.run()
            if found.hasFiles, case .deleted = fact.kind {
                try attachments.clear(room: room, offset: Int64(clamping: fact.target), now: now)
            }
            try keepReactions(fact, room, by: draft.from.user)
            return .applied(Position(epoch: epoch, offset: UInt64(bitPattern: offset)), at: draft.receivedAt, fact)
        }
    }

    // MARK: Looking

    /// - Returns: the outcome of a draft that was stored before, inside the window.
    func known(
        _ draft: MessageDraft, _ room: Int64, _ epoch: Epoch, _ now: WallTime
    ) throws(StoreError) -> AppendOutcome? {
        try findCommand.bind(1, room)
        try findCommand.bind(2, draft.from.user.value)
        try findCommand.bind(3, draft.id.value)
        try findCommand.bind(4, now.before(by: window).milliseconds)
        guard try findCommand.step() else { return nil }
        defer { findCommand.reset() }
        return .duplicate(
            Position(epoch: epoch, offset: UInt64(bitPattern: findCommand.integer(0))),
            at: WallTime(milliseconds: findCommand.integer(1)))
    }

    private func target(
        _ wish: Wish, _ room: Int64, by user: UserID
    ) throws(StoreError) -> (target: WishTarget, text: String, hasFiles: Bool)? {
        // An offset that is too large for the file is beyond every head.
        let offset = Int64(clamping: wish.target)
        try findTarget.bind(1, room)
        try findTarget.bind(2, offset)
        guard try findTarget.step() else { return nil }
        defer { findTarget.reset() }
        let amendments = findTarget.isNull(2) ? Amendments() : Amendments(encoded: findTarget.text(2))
        guard let author = UserID(findTarget.text(0)), let amendments else {
            throw StoreError("\(connection.path) holds a message that no hub wrote; restore it from a backup")
        }
        var own: Set<Reaction> = []
        if case .react = wish.kind {
            try findOwn.bind(1, room)
            try findOwn.bind(2, offset)
            try findOwn.bind(3, user.value)
            while try findOwn.step() { if let reaction = Reaction(findOwn.text(0)) { own.insert(reaction) } }
        }
        let target = WishTarget(author: author, amendments: amendments, own: own)
        return (target, findTarget.text(1), findTarget.integer(3) != 0)
    }

    // MARK: Storing

    private func note(_ draft: MessageDraft, _ room: Int64, _ offset: Int64, _ now: WallTime) throws(StoreError) {
        try noteCommand.bind(1, room)
        try noteCommand.bind(2, draft.from.user.value)
        try noteCommand.bind(3, draft.id.value)
        try noteCommand.bind(4, offset)
        try noteCommand.bind(5, draft.receivedAt.milliseconds)
        try noteCommand.bind(6, now.milliseconds)
        try noteCommand.run()
    }

    private func add(_ fact: Fact, _ draft: MessageDraft, _ room: Int64, _ offset: Int64) throws(StoreError) {
        try findNumber.bind(1, room)
        let number = try findNumber.step() ? findNumber.integer(0) : 0
        findNumber.reset()
        let columns = FactColumns(fact)
        let name = draft.from.name
        try addFact.bind(1, room)
        try addFact.bind(2, offset)
        try addFact.bind(3, draft.id.value)
        try addFact.bind(4, draft.from.user.value)
        try addFact.bind(5, name.utf8.elementsEqual(draft.from.user.value.utf8) ? nil : name)
        try addFact.bind(6, draft.receivedAt.milliseconds)
        try addFact.bind(7, columns.target)
        try addFact.bind(8, columns.kind)
        try addFact.bind(9, columns.reaction)
        try addFact.bind(10, columns.total)
        try addFact.bind(11, number &+ 1)
        try addFact.run()
    }

    private func keepReactions(_ fact: Fact, _ room: Int64, by user: UserID) throws(StoreError) {
        let statement: SQLiteStatement
        switch fact.kind {
        case .edited: return
        case .deleted: statement = removeReactions
        case .reaction(let reaction, let isRemoval, _):
            statement = isRemoval ? removeReaction : addReaction
            try statement.bind(3, user.value)
            try statement.bind(4, reaction.value)
        }
        try statement.bind(1, room)
        try statement.bind(2, Int64(clamping: fact.target))
        try statement.run()
    }
}
