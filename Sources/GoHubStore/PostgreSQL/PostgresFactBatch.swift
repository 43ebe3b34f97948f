internal import GoHubCore

/// Appends a batch with wishes in it, as one transaction.
///
/// Messages go as they always do, many in one statement; wishes are looked up together, decided here, and what comes of
/// them is written with the next trip. A stage is as many of both as can go in this order: of each room messages, then
/// wishes. So a room's order is the batch's, and rooms don't wait for each other. The rooms' rows are locked, so what was
/// looked up stays true.
struct PostgresFactBatch {
    private struct Stage {
        /// Places in the batch.
        var messages: [Int] = []
        var wishes: [Int] = []
    }

    private struct Target: Hashable {
        let room: Int64
        let offset: Offset
    }

    private struct Reactor: Hashable {
        let target: Target
        let user: UserID
    }

    /// What a stage's wishes have to do with, as those before them leave it.
    private struct Known {
        /// The head, and the number of the last fact.
        var rooms: [Int64: (head: Int64, number: Int64)] = [:]
        var targets: [Target: (author: UserID, amendments: Amendments)] = [:]
        var own: [Reactor: Set<Reaction>] = [:]
    }

    private let batch: PostgresWriter.Batch
    private let settings: StoreSettings
    private let now: WallTime

    init(_ batch: PostgresWriter.Batch, _ settings: StoreSettings) {
        self.batch = batch
        self.settings = settings
        now = settings.clock()
    }

    /// - Returns: an outcome for each draft that is sent.
    func append(
        _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) -> [AppendOutcome] {
        do throws(PostgresFailure) {
            let (tenants, names) = PostgresWriter.names(of: batch.rooms)
            var commands: [PostgresConnection.Command] = [
                .sql("BEGIN"), .run(name: "make_rooms", [tenants, names]),
                .run(name: "lock_rooms", [tenants, names]),
            ]
            var outcomes = [AppendOutcome?](repeating: nil, count: batch.drafts.count)
            for stage in stages() {
                if !stage.messages.isEmpty {
                    let messages = stage.messages.map { batch.drafts[$0] }
                    commands.append(PostgresWriter.command(messages, tenants, names, settings, now: now))
                }
                if !stage.wishes.isEmpty { commands.append(look(stage.wishes)) }
                var results = try connection.run(commands, deadline: deadline)[...]
                commands = []
                let rows = stage.wishes.isEmpty ? nil : results.popLast()
                if !stage.messages.isEmpty {
                    let stored = try PostgresWriter.outcomes(results.popLast(), count: stage.messages.count)
                    for (place, outcome) in zip(stage.messages, stored) { outcomes[place] = outcome }
                }
                if let rows { commands = try decide(stage.wishes, rows, &outcomes) }
            }
            _ = try connection.run(commands + [.sql("COMMIT")], deadline: deadline)
            // Each draft is in one stage.
            return outcomes.map { $0 ?? .failed(PostgresWriter.lostRoom.error) }
        } catch {
            if !error.endsConnection { _ = try connection.run([.sql("ROLLBACK")], deadline: deadline) }
            throw error
        }
    }

    private func stages() -> [Stage] {
        var stages = [Stage()]
        /// Of each room the stage that it has got to, and whether it has wishes there.
        var rooms = [(stage: Int, hasWishes: Bool)](repeating: (0, false), count: batch.rooms.count)
        for (place, (draft, room)) in batch.drafts.enumerated() {
            if draft.wish != nil {
                rooms[room].hasWishes = true
                stages[rooms[room].stage].wishes.append(place)
                continue
            }
            if rooms[room].hasWishes { rooms[room] = (rooms[room].stage + 1, false) }
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
                // An offset that is too large for a column is beyond every head.
                .bigints(drafts.map { Int64(clamping: $0.wish?.target ?? 0) }),
                .bigint(now.before(by: settings.idempotencyWindow).milliseconds),
            ])
    }

    // MARK: Deciding

    /// - Returns: what writes that which has come of the wishes.
    private func decide(
        _ places: [Int], _ rows: PostgresResult, _ outcomes: inout [AppendOutcome?]
    ) throws(PostgresFailure) -> [PostgresConnection.Command] {
        guard rows.rows == places.count else { throw PostgresWriter.lostRoom }
        var known = Known()
        var commands: [PostgresConnection.Command] = []
        var moved: [Int64] = []
        for (row, place) in places.enumerated() {
            let draft = batch.drafts[place].0
            guard let wish = draft.wish else { continue }
            let (room, epoch) = (rows.integer(row, 0), Epoch(rows.text(row, 1)))
            guard rows.isNull(row, 4) else {
                let position = Position(epoch: epoch, offset: UInt64(bitPattern: rows.integer(row, 4)))
                outcomes[place] = .duplicate(position, at: WallTime(milliseconds: rows.integer(row, 5)))
                continue
            }
            let target = Target(room: room, offset: wish.target)
            let reactor = Reactor(target: target, user: draft.from.user)
            try learn(rows, row, target, reactor, &known)
            let found = known.targets[target].map {
                WishTarget(author: $0.author, amendments: $0.amendments, own: known.own[reactor] ?? [])
            }
            switch wish.verdict(by: draft.from.user, on: found) {
            case .unchanged: outcomes[place] = .unchanged(at: draft.receivedAt)
            case .refused(let refusal): outcomes[place] = .refused(refusal)
            case .apply(let fact):
                let before = known.rooms[room] ?? (rows.integer(row, 2), rows.integer(row, 3))
                let (offset, overflow) = before.head.addingReportingOverflow(1)
                guard !overflow else {
                    throw PostgresFailure(
                        error: StoreError("PostgreSQL: a room has no offsets left"), endsConnection: false)
                }
                if known.rooms.updateValue((offset, before.number &+ 1), forKey: room) == nil { moved.append(room) }
                let mark = Amendments.Mark(offset: UInt64(bitPattern: offset), at: draft.receivedAt)
                known.targets[target]?.amendments.apply(fact.kind, by: draft.from.user, mark)
                let amendments = known.targets[target]?.amendments ?? Amendments()
                commands += write(fact, draft, room, offset, number: before.number &+ 1)
                commands += change(fact, draft, room, to: amendments)
                if case .reaction(let reaction, let isRemoval, _) = fact.kind {
                    if isRemoval {
                        known.own[reactor]?.remove(reaction)
                    } else {
                        known.own[reactor, default: []].insert(reaction)
                    }
                }
                outcomes[place] = .applied(
                    Position(epoch: epoch, offset: UInt64(bitPattern: offset)), at: draft.receivedAt, fact)
            }
        }
        for room in moved {
            commands.append(.run(name: "move_head", [.bigint(room), .bigint(known.rooms[room]?.head ?? 0)]))
        }
        return commands
    }

    /// Takes a row's word for what no wish before it has touched.
    private func learn(
        _ rows: PostgresResult, _ row: Int, _ target: Target, _ reactor: Reactor, _ known: inout Known
    ) throws(PostgresFailure) {
        guard !rows.isNull(row, 6) else { return }
        if known.targets[target] == nil {
            let amendments = rows.isNull(row, 7) ? Amendments() : Amendments(encoded: rows.text(row, 7))
            guard let author = UserID(rows.text(row, 6)), let amendments else {
                throw PostgresFailure(
                    error: StoreError(
                        "PostgreSQL: the tables hold a message that no hub wrote; restore them from a backup"),
                    endsConnection: false)
            }
            known.targets[target] = (author, amendments)
        }
        if known.own[reactor] == nil {
            let words = rows.isNull(row, 8) ? [] : rows.text(row, 8).utf8.split(separator: UInt8(ascii: "\n"))
            known.own[reactor] = Set(words.compactMap { Reaction(String(decoding: $0, as: UTF8.self)) })
        }
    }

    // MARK: Writing

    private func write(
        _ fact: Fact, _ draft: MessageDraft, _ room: Int64, _ offset: Int64, number: Int64
    ) -> [PostgresConnection.Command] {
        let columns = FactColumns(fact)
        let (user, name) = (draft.from.user.value, draft.from.name)
        let parameters: [PostgresParameter] = [
            .bigint(room), .bigint(offset), .text(draft.id.value), .text(user),
            .texts([name.utf8.elementsEqual(user.utf8) ? nil : name]), .bigint(draft.receivedAt.milliseconds),
            .bigint(columns.target), .bigint(columns.kind), .text(columns.reaction), .bigint(columns.total),
            .bigint(number),
        ]
        let command: [PostgresParameter] = [
            .bigint(room), .bigint(offset), .text(user), .text(draft.id.value),
            .bigint(draft.receivedAt.milliseconds), .bigint(now.milliseconds),
        ]
        return [.run(name: "add_fact", parameters), .run(name: "note_fact", command)]
    }

    private func change(
        _ fact: Fact, _ draft: MessageDraft, _ room: Int64, to amendments: Amendments
    ) -> [PostgresConnection.Command] {
        let target: [PostgresParameter] = [.bigint(room), .bigint(Int64(clamping: fact.target))]
        let encoded = PostgresParameter.text(amendments.encoded)
        switch fact.kind {
        case .edited: return [.run(name: "amend_text", target + [encoded, .text(draft.text)])]
        case .deleted:
            return [
                .run(name: "amend_text", target + [encoded, .text("")]), .run(name: "remove_reactions", target),
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
