internal import GoHubCore

/// Appends batches, each with one transaction and one round trip to the server.
final class PostgresWriter: PostgresWork {
    enum Request: Sendable {
        case append([MessageDraft], @Sendable ([AppendOutcome]) -> Void)
        case receipts([ReceiptNote], @Sendable (Result<Void, StoreError>) -> Void)
        case sanctions([SanctionNote], @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void)
        case nodes(PostgresNodes.Request)
        case sweep(@Sendable (Result<Void, StoreError>) -> Void)
    }

    static let weightMax = 8192

    private let options: PostgresOptions
    let settings: StoreSettings
    /// Identifies this store in the list of direct news; `nil` without a cluster, where nobody reads the list.
    private let newsOrigin: Int64?
    private let sweep: PostgresSweep
    private let otherHubs: PostgresOtherHubs
    /// The number of the next batches that are checked for repetitions first: a client that repeats one message repeats
    /// more.
    private var dedupProbeBatches = 0
    private static let dedupProbeBatchesMax = 16

    init(_ options: PostgresOptions, _ settings: StoreSettings, origin: Int64) {
        newsOrigin = options.isClustered ? origin : nil
        self.options = options
        self.settings = settings
        sweep = PostgresSweep(settings, timeout: options.patience)
        otherHubs = PostgresOtherHubs(isClustered: options.isClustered) { options.report(.warning($0)) }
    }

    func prepare(_ connection: PostgresConnection) throws(PostgresFailure) {
        try PostgresSession.prepare(connection, options, for: .writing)
        _ = try connection.run(
            PostgresStatements.writing + PostgresStatements.changes + PostgresStatements.files
                + PostgresStatements.sanctions + PostgresDirectNews.writing + PostgresStatements.sweeping
                + PostgresSweep.statements + PostgresNodes.statements,
            deadline: .now() + options.patience)
        sweep.forget()
        try otherHubs.announce(connection, deadline: .now() + options.patience)
    }

    var chores: MonotonicTime { min(sweep.due, otherHubs.due) }

    func doChore(_ connection: PostgresConnection, after weight: Int) throws(PostgresFailure) {
        if otherHubs.due <= .now() { try otherHubs.check(connection, deadline: .now() + options.patience) }
        guard sweep.due <= .now() else { return }
        // Twice what was added, so that a hub that is never idle removes faster than it adds.
        try sweep.step(connection, rowsMax: weight == 0 ? 500 : min(max(2 * weight, 100), 2 * Self.weightMax))
    }

    func refuse(_ request: Request, _ error: StoreError) {
        switch request {
        case .append(let batch, let completion):
            completion([AppendOutcome](repeating: .failed(error), count: batch.count))
        case .receipts(_, let completion), .sweep(let completion): completion(.failure(error))
        case .sanctions(_, let completion): completion(.failure(error))
        case .nodes(let request): PostgresNodes.refuse(request, error)
        }
    }

    func serve(
        _ requests: [Request], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) {
        var batches: [([MessageDraft], @Sendable ([AppendOutcome]) -> Void)] = []
        var receipts: [([ReceiptNote], @Sendable (Result<Void, StoreError>) -> Void)] = []
        var sanctions: [([SanctionNote], @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void)] = []
        var nodes: [PostgresNodes.Request] = []
        var sweeps: [@Sendable (Result<Void, StoreError>) -> Void] = []
        for request in requests {
            switch request {
            case .append(let batch, let completion): batches.append((batch, completion))
            case .receipts(let batch, let completion): receipts.append((batch, completion))
            case .sanctions(let batch, let completion): sanctions.append((batch, completion))
            case .nodes(let request): nodes.append(request)
            case .sweep(let completion): sweeps.append(completion)
            }
        }
        var failure: PostgresFailure?
        do throws(PostgresFailure) {
            let outcomes = try append(batches.flatMap(\.0), connection, deadline: deadline)
            var rest = outcomes[...]
            for (batch, completion) in batches {
                completion(Array(rest.prefix(batch.count)))
                rest = rest.dropFirst(batch.count)
            }
        } catch {
            for (batch, completion) in batches { refuse(.append(batch, completion), error.error) }
            failure = error
        }
        /// Runs a body for completions that wait for it, unless the connection is lost.
        func attempt<Value>(
            _ completions: [@Sendable (Result<Value, StoreError>) -> Void],
            _ body: () throws(PostgresFailure) -> Value
        ) {
            var result: Result<Value, StoreError>
            if let failure, failure.endsConnection {
                result = .failure(failure.error)
            } else {
                do throws(PostgresFailure) {
                    result = .success(try body())
                } catch {
                    result = .failure(error.error)
                    failure = error
                }
            }
            for completion in completions { completion(result) }
        }
        // After the messages, so that no receipt is ahead of its room.
        if !receipts.isEmpty {
            attempt(receipts.map(\.1)) { () throws(PostgresFailure) in
                try store(receipts.flatMap(\.0), connection, deadline: deadline)
            }
        }
        for (batch, completion) in sanctions {
            attempt([completion]) { () throws(PostgresFailure) in
                try store(batch, connection, deadline: deadline)
            }
        }
        for request in nodes {
            if let failure, failure.endsConnection {
                PostgresNodes.refuse(request, failure.error)
                continue
            }
            do throws(PostgresFailure) {
                try PostgresNodes.serve(request, connection, deadline: deadline)
            } catch {
                failure = error
            }
        }
        for completion in sweeps {
            attempt([completion]) { () throws(PostgresFailure) in try sweep.all(connection) }
        }
        if let failure { throw failure }
    }

    private func store(
        _ receipts: [ReceiptNote], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) {
        let parameters: [PostgresParameter] = [
            .texts(receipts.map(\.room.tenant.value)), .texts(receipts.map(\.room.name.value)),
            .texts(receipts.map(\.epoch.value)), .texts(receipts.map(\.user.value)),
            // An offset that is too large for a column is beyond every head.
            .bigints(receipts.map { Int64(clamping: $0.receipt.delivered) }),
            .bigints(receipts.map { Int64(clamping: $0.receipt.seen) }),
            .bigints(receipts.map { FollowColumn($0.follows).rawValue }), .bigint(settings.clock().milliseconds),
        ]
        // A follower may be the first user of a room.
        let followed = Array(Set(receipts.lazy.filter { $0.follows == true }.map(\.room)))
        guard !followed.isEmpty else {
            _ = try connection.run([.run(name: "receipts", parameters)], deadline: deadline)
            return
        }
        let (tenants, names) = Self.names(of: followed)
        _ = try connection.transaction(
            [.run(name: "make_rooms", [tenants, names]), .run(name: "receipts", parameters)], deadline: deadline)
    }

    private func store(
        _ notes: [SanctionNote], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) -> [SanctionNote.Outcome] {
        let results = try connection.transaction(
            [.run(name: "lock_sanctions", [])] + notes.map { Self.command($0) }, deadline: deadline)
        // There are as many results as commands; the first belongs to the lock.
        return zip(notes, results.dropFirst()).map { note, rows in Self.outcome(of: note, rows) }
    }

    private static func command(_ note: SanctionNote) -> PostgresConnection.Command {
        let key: [PostgresParameter] = [
            .text(note.room.tenant.value), .text(note.room.name.value), .text(note.user.value),
        ]
        func impose(isBan: Bool, _ length: Milliseconds) -> PostgresConnection.Command {
            // Half of the range, so that adding it to the time can't overflow.
            let length = min(Int64(clamping: length.value), .max / 2)
            return .run(
                name: "impose",
                key + [.bigint(isBan ? 1 : 0), .bigint(length), .bigint(Int64(note.perRoomMax))])
        }
        return switch note.kind {
        case .mute(let length): impose(isBan: false, length)
        case .ban(let length): impose(isBan: true, length)
        case .pardon: .run(name: "pardon", key)
        }
    }

    private static func outcome(of note: SanctionNote, _ rows: PostgresResult) -> SanctionNote.Outcome {
        if note.kind == .pardon { return rows.rows == 1 && rows.flag(0, 0) ? .lifted : .notFound }
        let row = PostgresRow<VerdictColumn>(rows, 0)
        switch row.integer(.verdict) {
        case 0: return .stored
        case 1: return .banned(left: Milliseconds(UInt64(max(0, row.integer(.remaining)))))
        default: return .tooMany
        }
    }

    // MARK: Appending

    private struct Key: Hashable {
        let room: RoomID
        let user: UserID
        let id: CommandID
    }

    /// The drafts to send, without repetitions of each other and without texts that PostgreSQL can't store.
    struct Batch {
        var rooms: [RoomID] = []
        var drafts: [(MessageDraft, room: Int)] = []
        /// For each draft of the caller the index of the one sent for it; `nil` for none.
        var places: [Int?] = []
        /// Whether they are all messages that need no look-up.
        var isPlain = true

        init(_ all: [MessageDraft]) {
            var roomPlaces: [RoomID: Int] = [:]
            var firsts: [Key: Int] = [:]
            places.reserveCapacity(all.count)
            for draft in all {
                // No text in PostgreSQL contains U+0000. The protocol refuses it; an embedder might not.
                guard !draft.text.utf8.contains(0), !draft.from.name.utf8.contains(0) else {
                    places.append(nil)
                    continue
                }
                let key = Key(room: draft.room, user: draft.from.user, id: draft.id)
                if let first = firsts[key] {
                    places.append(first)
                    continue
                }
                let room = roomPlaces[draft.room] ?? rooms.count
                if room == rooms.count {
                    rooms.append(draft.room)
                    roomPlaces[draft.room] = room
                }
                if !draft.isPlain { isPlain = false }
                firsts[key] = drafts.count
                places.append(drafts.count)
                drafts.append((draft, room))
            }
        }
    }

    private func append(
        _ all: [MessageDraft], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) -> [AppendOutcome] {
        if dedupProbeBatches > 0 {
            dedupProbeBatches -= 1
        } else if !all.isEmpty, all.allSatisfy(\.isPlain) {
            if let outcomes = try appendNew(all, connection, deadline: deadline) { return outcomes }
            dedupProbeBatches = Self.dedupProbeBatchesMax
        }
        let batch = Batch(all)
        let sent: [AppendOutcome]
        if batch.drafts.isEmpty {
            sent = []
        } else if batch.isPlain {
            sent = try append(batch, connection, deadline: deadline)
        } else {
            let news = directNews(of: batch.drafts.lazy.map(\.0.room))
            sent = try PostgresChangeBatch(batch, settings).append(connection, noting: news, deadline: deadline)
        }
        var isReported = [Bool](repeating: false, count: sent.count)
        return batch.places.map { place in
            guard let place else {
                return .failed(StoreError(.invalid, "PostgreSQL cannot store U+0000.", mayBeStored: false))
            }
            defer { isReported[place] = true }
            guard isReported[place] else { return sent[place] }
            return switch sent[place] {
            case .stored(let position, let at), .applied(let position, let at, _), .attached(let position, let at, _):
                .duplicate(position, at: at)
            case .duplicate, .unchanged, .refused, .failed: sent[place]
            }
        }
    }

    private func append(
        _ batch: Batch, _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) -> [AppendOutcome] {
        let (tenants, names) = Self.names(of: batch.rooms)
        let command = Self.command(batch.drafts, tenants, names, settings, now: settings.clock())
        let results = try connection.transaction(
            [
                .run(name: "make_rooms", [tenants, names]), .run(name: "lock_rooms", [tenants, names]), command,
            ] + directNews(of: batch.drafts.lazy.map(\.0.room)), deadline: deadline)
        // There are as many results as commands.
        return try Self.outcomes(results[2], count: batch.drafts.count)
    }

    /// The command that lists the entries of direct conversations; none without a cluster.
    func directNews(of rooms: some Sequence<RoomID>) -> [PostgresConnection.Command] {
        newsOrigin.map { PostgresDirectNews.note(origin: $0, rooms) } ?? []
    }

    static func names(of rooms: [RoomID]) -> (tenants: PostgresParameter, names: PostgresParameter) {
        (.texts(rooms.map(\.tenant.value)), .texts(rooms.map(\.name.value)))
    }

    /// Appends messages, each with the index of its room in the list.
    static func command(
        _ messages: [(MessageDraft, room: Int)], _ tenants: PostgresParameter, _ names: PostgresParameter,
        _ settings: StoreSettings, now: WallTime
    ) -> PostgresConnection.Command {
        let drafts = messages.map(\.0)
        let parameters = MessageColumns.parameters(
            of: drafts,
            after: [
                tenants, names, .bigints(messages.map { Int64($0.room) + 1 }), .bigint(now.milliseconds),
                .bigint(now.before(by: settings.idempotencyWindow).milliseconds),
            ])
        return .run(name: "append", parameters)
    }

    static var lostRoom: PostgresFailure {
        PostgresFailure(
            error: StoreError(
                .corrupt,
                "PostgreSQL: a room or the epoch is missing from the tables. Restore them from a backup."),
            endsConnection: false)
    }

    static func outcomes(_ rows: PostgresResult?, count: Int) throws(PostgresFailure) -> [AppendOutcome] {
        guard let rows, rows.rows == count else { throw lostRoom }
        return Array(
            rows.each(OutcomeColumn.self).map { row in
                let position = row.position(epoch: .epoch, offset: .offset)
                let at = row.time(.at)
                return row.flag(.isKnown) ? .duplicate(position, at: at) : .stored(position, at: at)
            })
    }
}
