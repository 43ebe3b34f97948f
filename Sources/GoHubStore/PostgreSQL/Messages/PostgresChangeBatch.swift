internal import GoHubCore

/// Appends a batch that contains change requests, or messages with files, as one transaction.
///
/// Other messages are inserted as usual, many in one statement. The data for *questions* (change requests and messages
/// with files) is looked up together and decided here, and the results are written with the next round trip. A stage
/// contains as many of both as possible in this order: for each room messages, then questions. So a room's order is
/// that of the batch, and rooms don't wait for each other. The rooms' rows are locked, so the looked-up data stays
/// valid; for files a separate lock, taken first, ensures this.
struct PostgresChangeBatch {
    private struct Stage {
        /// Indices in the batch.
        var messages: [Int] = []
        var pendingChanges: [Int] = []
    }

    private struct Target: Hashable {
        let room: Int64
        let offset: Offset
    }

    private struct Reactor: Hashable {
        let target: Target
        let user: UserID
    }

    /// The state that a stage's questions depend on, updated by each of them.
    private struct Snapshot {
        /// The head, and the number of the last change, of rooms in which a question has stored something.
        var rooms: [Int64: (head: Int64, number: Int64)] = [:]
        var targets: [Target: (author: UserID, amendments: Amendments)] = [:]
        var own: [Reactor: Set<Reaction>] = [:]
        var files: [FileID: StoredFile] = [:]
        /// SQL commands for the accepted changes.
        var commands: [PostgresConnection.Command] = []
    }

    /// A question with the row found for it.
    private struct PendingChange {
        let draft: MessageDraft
        let row: PostgresRow<QuestionColumn>

        var room: Int64 { row.integer(.room) }

        func position(_ offset: Int64) -> Position {
            Position(epoch: Epoch(row.text(.epoch)), offset: UInt64(bitPattern: offset))
        }
    }

    private let batch: PostgresWriter.Batch
    private let settings: StoreSettings
    private let now: WallTime

    init(_ batch: PostgresWriter.Batch, _ settings: StoreSettings) {
        self.batch = batch
        self.settings = settings
        now = settings.clock()
    }

    /// - Parameter last: commands to run at the end of the transaction.
    /// - Returns: an outcome for each draft that is sent.
    func append(
        _ connection: PostgresConnection, noting last: [PostgresConnection.Command], deadline: MonotonicTime
    ) throws(PostgresFailure) -> [AppendOutcome] {
        do throws(PostgresFailure) {
            let (tenants, names) = PostgresWriter.names(of: batch.rooms)
            var commands: [PostgresConnection.Command] = [.sql("BEGIN")]
            if batch.drafts.contains(where: { $0.0.changesUses }) { commands.append(.run(name: "lock_files", [])) }
            commands += [
                .run(name: "make_rooms", [tenants, names]), .run(name: "lock_rooms", [tenants, names]),
            ]
            var outcomes = [AppendOutcome?](repeating: nil, count: batch.drafts.count)
            for stage in stages() {
                if !stage.messages.isEmpty {
                    let messages = stage.messages.map { batch.drafts[$0] }
                    commands.append(PostgresWriter.command(messages, tenants, names, settings, now: now))
                }
                let files = stage.pendingChanges.flatMap { batch.drafts[$0].0.files.map(\.id.value) }
                if !stage.pendingChanges.isEmpty { commands.append(look(stage.pendingChanges)) }
                if !files.isEmpty { commands.append(.run(name: "look_up_files", [.texts(files)])) }
                var results = try connection.run(commands, deadline: deadline)[...]
                commands = []
                let fileRows = files.isEmpty ? nil : results.popLast()
                let rows = stage.pendingChanges.isEmpty ? nil : results.popLast()
                if !stage.messages.isEmpty {
                    let stored = try PostgresWriter.outcomes(results.popLast(), count: stage.messages.count)
                    for (place, outcome) in zip(stage.messages, stored) { outcomes[place] = outcome }
                }
                if let rows { commands = try decide(stage.pendingChanges, rows, fileRows, &outcomes) }
            }
            _ = try connection.run(commands + last + [.sql("COMMIT")], deadline: deadline)
            // Each draft is in one stage.
            return outcomes.map { $0 ?? .failed(PostgresWriter.lostRoom.error) }
        } catch {
            if !error.endsConnection { _ = try connection.run([.sql("ROLLBACK")], deadline: deadline) }
            throw error
        }
    }

    private func stages() -> [Stage] {
        var stages = [Stage()]
        /// For each room the current stage, and whether it has questions there.
        var rooms = [(stage: Int, hasQuestions: Bool)](repeating: (0, false), count: batch.rooms.count)
        for (place, (draft, room)) in batch.drafts.enumerated() {
            if !draft.isPlain {
                rooms[room].hasQuestions = true
                stages[rooms[room].stage].pendingChanges.append(place)
                continue
            }
            if rooms[room].hasQuestions { rooms[room] = (rooms[room].stage + 1, false) }
            if rooms[room].stage == stages.count { stages.append(Stage()) }
            stages[rooms[room].stage].messages.append(place)
        }
        return stages
    }

    private func look(_ places: [Int]) -> PostgresConnection.Command {
        let drafts = places.map { batch.drafts[$0].0 }
        let (tenants, names) = PostgresWriter.names(of: drafts.map(\.room))
        return .run(
            name: "look_up_wishes",
            [
                tenants, names, .texts(drafts.map(\.from.user.value)), .texts(drafts.map(\.id.value)),
                // An offset that is too large for a column is beyond every head. No message has the offset 0.
                .bigints(drafts.map { Int64(clamping: $0.changeRequest?.target ?? 0) }),
                .bigint(now.before(by: settings.idempotencyWindow).milliseconds),
            ])
    }

    // MARK: Deciding

    /// - Returns: the SQL commands for the accepted changes.
    private func decide(
        _ places: [Int], _ rows: PostgresResult, _ fileRows: PostgresResult?, _ outcomes: inout [AppendOutcome?]
    ) throws(PostgresFailure) -> [PostgresConnection.Command] {
        guard rows.rows == places.count else { throw PostgresWriter.lostRoom }
        var snapshot = Snapshot()
        if let fileRows { snapshot.files = try Self.files(fileRows) }
        for (row, place) in zip(rows.each(QuestionColumn.self), places) {
            let pending = PendingChange(draft: batch.drafts[place].0, row: row)
            outcomes[place] =
                if !row.isNull(.knownOffset) {
                    .duplicate(pending.position(row.integer(.knownOffset)), at: row.time(.knownAt))
                } else if let request = pending.draft.changeRequest {
                    try decide(request, pending, &snapshot)
                } else {
                    try attach(pending, &snapshot)
                }
        }
        for (room, end) in snapshot.rooms {
            snapshot.commands.append(.run(name: "move_head", [.bigint(room), .bigint(end.head)]))
        }
        return snapshot.commands
    }

    private func decide(
        _ request: ChangeRequest, _ pending: PendingChange, _ snapshot: inout Snapshot
    ) throws(PostgresFailure) -> AppendOutcome {
        let (draft, room) = (pending.draft, pending.room)
        let target = Target(room: room, offset: request.target)
        let reactor = Reactor(target: target, user: draft.from.user)
        try learn(pending, target, reactor, &snapshot)
        let found = snapshot.targets[target].map {
            ChangeRequest.Target(author: $0.author, amendments: $0.amendments, own: snapshot.own[reactor] ?? [])
        }
        switch request.decision(by: draft.from.user, on: found) {
        case .unchanged: return .unchanged(at: draft.receivedAt)
        case .refused(let refusal): return .refused(refusal)
        case .apply(let change):
            let (offset, number) = try next(pending, isChange: true, &snapshot)
            let mark = Amendments.Mark(offset: UInt64(bitPattern: offset), at: draft.receivedAt)
            snapshot.targets[target]?.amendments.apply(change.kind, by: draft.from.user, mark)
            let amendments = snapshot.targets[target]?.amendments ?? Amendments()
            snapshot.commands += [add(change, draft, room, offset, number: number), note(draft, room, offset)]
            snapshot.commands += amend(change, draft, room, to: amendments)
            if case .reaction(let reaction, let isRemoval, _) = change.kind {
                if isRemoval {
                    snapshot.own[reactor]?.remove(reaction)
                } else {
                    snapshot.own[reactor, default: []].insert(reaction)
                }
            }
            return .applied(pending.position(offset), at: draft.receivedAt, change)
        }
    }

    /// Stores a message with its files, if they exist.
    private func attach(_ pending: PendingChange, _ snapshot: inout Snapshot) throws(PostgresFailure) -> AppendOutcome {
        let (draft, room) = (pending.draft, pending.room)
        let found = draft.files.compactMap { snapshot.files[$0.id] }.filter { $0.room == draft.room }
        let ofRoom = Dictionary(found.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        guard let files = draft.files.attached(ofRoom) else { return .refused(.fileNotFound) }
        let offset = try next(pending, isChange: false, &snapshot).offset
        // Later questions may refer to it.
        let target = Target(room: room, offset: UInt64(bitPattern: offset))
        snapshot.targets[target] = (draft.from.user, Amendments())
        snapshot.commands += [add(draft, files, room, offset), note(draft, room, offset)]
        snapshot.commands.append(
            .run(name: "hold_files", [.bigint(room), .bigint(offset), .texts(files.map(\.id.value))]))
        return .attached(pending.position(offset), at: draft.receivedAt, files)
    }

    /// The position of the next entry in a question's room.
    private func next(
        _ pending: PendingChange, isChange: Bool, _ snapshot: inout Snapshot
    ) throws(PostgresFailure) -> (offset: Int64, number: Int64) {
        let row = pending.row
        let before = snapshot.rooms[pending.room] ?? (row.integer(.head), row.integer(.number))
        let (offset, overflow) = before.head.addingReportingOverflow(1)
        guard !overflow else {
            throw PostgresFailure(
                error: StoreError(.full, "PostgreSQL: a room has no offsets left."), endsConnection: false)
        }
        let number = isChange ? before.number &+ 1 : before.number
        snapshot.rooms[pending.room] = (offset, number)
        return (offset, number)
    }

    /// Takes values from the row that no earlier question has changed.
    private func learn(
        _ pending: PendingChange, _ target: Target, _ reactor: Reactor, _ snapshot: inout Snapshot
    ) throws(PostgresFailure) {
        let row = pending.row
        guard !row.isNull(.author) else { return }
        if snapshot.targets[target] == nil {
            let amendments = row.isNull(.amendments) ? Amendments() : Amendments(encoded: row.text(.amendments))
            guard let author = UserID(row.text(.author)), let amendments else {
                throw PostgresFailure(
                    error: .corruptRow("message", in: "PostgreSQL"), endsConnection: false)
            }
            snapshot.targets[target] = (author, amendments)
        }
        if snapshot.own[reactor] == nil {
            let words = row.text(.own).utf8.split(separator: UInt8(ascii: "\n"))
            snapshot.own[reactor] = Set(words.compactMap { Reaction(String(decoding: $0, as: UTF8.self)) })
        }
    }

    private static func files(_ rows: PostgresResult) throws(PostgresFailure) -> [FileID: StoredFile] {
        do throws(StoreError) {
            let files = try PostgresFileTables.files(rows).map { ($0.file.id, $0.file) }
            return Dictionary(files) { first, _ in first }
        } catch {
            throw PostgresFailure(error: error, endsConnection: false)
        }
    }

    // MARK: Writing

    private func add(
        _ change: MessageChange, _ draft: MessageDraft, _ room: Int64, _ offset: Int64, number: Int64
    ) -> PostgresConnection.Command {
        .run(
            name: "add_fact",
            MessageColumns.parameters(
                of: ChangeColumns(change), draft, room: room, offset: offset, number: number))
    }

    private func add(
        _ draft: MessageDraft, _ files: [AttachedFile], _ room: Int64, _ offset: Int64
    ) -> PostgresConnection.Command {
        .run(
            name: "add_message",
            MessageColumns.parameters(
                of: [draft], after: [.bigint(room), .bigint(offset), .text(files.encoded)]))
    }

    /// Records the command, so that a repetition is recognised.
    private func note(_ draft: MessageDraft, _ room: Int64, _ offset: Int64) -> PostgresConnection.Command {
        .run(
            name: "note_fact",
            [
                .bigint(room), .bigint(offset), .text(draft.from.user.value), .text(draft.id.value),
                .bigint(draft.receivedAt.milliseconds), .bigint(now.milliseconds),
            ])
    }

    private func amend(
        _ change: MessageChange, _ draft: MessageDraft, _ room: Int64, to amendments: Amendments
    ) -> [PostgresConnection.Command] {
        let offset = PostgresParameter.bigint(Int64(clamping: change.target))
        let target: [PostgresParameter] = [.bigint(room), offset]
        let encoded = PostgresParameter.text(amendments.encoded)
        switch change.kind {
        case .edited: return [.run(name: "amend_text", target + [encoded, .text(draft.text)])]
        case .deleted:
            return [
                .run(name: "clear", target + [encoded]), .run(name: "remove_reactions", target),
                .run(name: "release_files", target + [offset, .bigint(now.milliseconds)]),
            ]
        case .reaction(let reaction, let isRemoval, _):
            let row = target + [.text(draft.from.user.value), .text(reaction.value)]
            return [
                .run(name: isRemoval ? "remove_reaction" : "add_reaction", row),
                .run(name: "amend", target + [encoded]),
            ]
        }
    }
}

extension MessageDraft {
    /// Whether it may change the use counts of files.
    fileprivate var changesUses: Bool {
        guard let request = changeRequest else { return !files.isEmpty }
        return if case .delete = request.kind { true } else { false }
    }
}
