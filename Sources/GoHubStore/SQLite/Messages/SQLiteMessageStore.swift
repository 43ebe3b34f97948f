internal import DequeModule
public import GoHubCore
internal import GoHubSystem

/// Messages in one file of an embedded SQLite database: sufficient for a single hub, with nothing to install.
///
/// One thread writes: one transaction for all waiting requests, synced to disk before the answer (write-ahead log,
/// `synchronous=FULL`). Another thread reads, from a snapshot that writers don't disturb. Only one process can have the
/// file open.
public final class SQLiteMessageStore: DurableMessageStore {
    /// The options of the file.
    public struct Options: Sendable {
        /// The maximum size of the file in bytes, without the write-ahead log; `nil` is no limit. At the limit appends
        /// fail until retention has removed something.
        public var bytesMax: Int?
        /// Whether an older database is migrated. Otherwise it is refused (`incompatible`).
        public var migrates = true
        /// Reports a failure of retention, on the store's thread.
        public var report: @Sendable (StoreError) -> Void = { _ in }

        /// - Parameter bytesMax: the maximum size of the file in bytes; `nil` is no limit.
        public init(bytesMax: Int? = nil) {
            self.bytesMax = bytesMax
        }
    }

    private enum WriteRequest: Sendable {
        case append([MessageDraft], @Sendable ([AppendOutcome]) -> Void)
        case receipts([ReceiptNote], @Sendable (Result<Void, StoreError>) -> Void)
        case sanctions([SanctionNote], @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void)
        case sweep(@Sendable (Result<Void, StoreError>) -> Void)
        case files(SQLiteFileRequest)
    }

    private enum ReadRequest: Sendable {
        case page(HistoryRequest, @Sendable (Result<HistoryPage, StoreError>) -> Void)
        case rooms(RoomsRequest, @Sendable (Result<RoomsPage, StoreError>) -> Void)
        case heads([RoomHead], @Sendable (Result<[RoomHead], StoreError>) -> Void)
    }

    /// The state owned by the writing thread.
    private struct Writing {
        let writer: SQLiteWriter
        let sweep: SQLiteSweep
        let files: SQLiteFileTables
    }

    /// The maximum number of drafts in one transaction, unless a single batch has more.
    private static let transactionDraftsMax = 8192
    /// The maximum that a step of retention removes while nobody waits.
    private static let sweepRowsMax = 500

    private let writes: RequestQueue<WriteRequest>
    private let reads: RequestQueue<ReadRequest>
    private let writingEnded = Latch(count: 1)
    private let readingEnded = Latch(count: 1)

    /// Opens a database, and creates it if it doesn't exist.
    ///
    /// - Parameters:
    ///   - path: the file; its directory must exist, on a local disk.
    ///   - options: the options of the file.
    ///   - settings: idempotency, retention and the bounds of waiting requests.
    /// - Throws: `StoreError`, a sentence that says what to do, when the file can't be used.
    public init(
        path: String, options: Options = Options(), settings: StoreSettings = StoreSettings()
    ) throws(StoreError) {
        writes = try RequestQueue(weightMax: settings.draftsWaitingMax)
        reads = try RequestQueue(weightMax: settings.readsWaitingMax)
        let file = try SQLiteFile(path: path)
        let connection = try Self.open(file, options)
        try SQLiteSchema.migrate(connection, isAllowed: options.migrates)
        let files = try SQLiteFileTables(connection)
        let attachments = try SQLiteAttachments(connection, files)
        let writing = Writing(
            writer: try SQLiteWriter(connection, attachments, settings),
            sweep: try SQLiteSweep(connection, attachments, settings), files: files)
        let reading = try SQLiteReader(Self.open(file, options), clock: settings.clock)
        // Each thread keeps the file, and so its lock, until its connection is closed.
        let writer = Handover((writing, file))
        let reader = Handover((reading, file))
        try StoreThread.start(name: "gohub-sqlite-w") { [writes, writingEnded] in
            Self.write(writer, writes, settings, report: options.report)
            writingEnded.countDown()
        }
        do throws(StoreError) {
            try StoreThread.start(name: "gohub-sqlite-r") { [reads, readingEnded] in
                Self.read(reader, reads)
                readingEnded.countDown()
            }
        } catch {
            writes.close()
            throw error
        }
    }

    deinit {
        writes.close()
        reads.close()
    }

    static func open(_ file: SQLiteFile, _ options: Options) throws(StoreError) -> SQLiteConnection {
        let connection = try SQLiteConnection(path: file.path)
        try SQLiteSchema.check(connection)
        guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
            throw StoreError(.incompatible, "\(file.path) is on a file system without shared memory. Use a local disk.")
        }
        // With FULL every commit waits for the disk; in WAL mode, less would lose the last commits in a power failure.
        try connection.execute(
            """
            PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
            PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;
            PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON
            """)
        if let bytesMax = options.bytesMax {
            let pageSize = max(1, try connection.integer("PRAGMA page_size"))
            try connection.execute("PRAGMA max_page_count = \(max(1, Int64(bytesMax) / pageSize))")
        }
        return connection
    }

    // MARK: Requests

    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        guard !batch.isEmpty else { return completion([]) }
        guard let refusal = writes.put(.append(batch, completion), weight: batch.count) else { return }
        completion([AppendOutcome](repeating: .failed(refusal.error), count: batch.count))
    }

    public func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        guard let refusal = reads.put(.page(request, completion)) else { return }
        completion(.failure(refusal.error))
    }

    public func saveReceipts(
        _ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        guard let refusal = writes.put(.receipts(receipts, completion), weight: receipts.count) else { return }
        completion(.failure(refusal.error))
    }

    public func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void
    ) {
        guard let refusal = writes.put(.sanctions(sanctions, completion), weight: sanctions.count) else { return }
        completion(.failure(refusal.error))
    }

    public func readRooms(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        guard let refusal = reads.put(.rooms(request, completion)) else { return }
        completion(.failure(refusal.error))
    }

    public func readHeads(
        _ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void
    ) {
        guard let refusal = reads.put(.heads(known, completion)) else { return }
        completion(.failure(refusal.error))
    }

    /// Runs a transaction of the catalog.
    func perform(_ request: SQLiteFileRequest) {
        if let refusal = writes.put(.files(request)) { request.refuse(.unavailable(refusal.error)) }
    }

    public func sweep() async throws(StoreError) {
        let result = await withCheckedContinuation { continuation in
            guard let refusal = writes.put(.sweep({ continuation.resume(returning: $0) })) else { return }
            continuation.resume(returning: .failure(refusal.error))
        }
        try result.get()
    }

    /// A file is always accessible; its failures are reported by the answers.
    public var isReady: Bool { true }

    public func close() async {
        // The last connection to close merges the log into the file. Of two that close at once, each may take the other
        // for the last.
        reads.close()
        await readingEnded.wait()
        writes.close()
        await writingEnded.wait()
    }

    // MARK: The writing thread

    private static func write(
        _ handover: Handover<(Writing, SQLiteFile)>, _ queue: RequestQueue<WriteRequest>, _ settings: StoreSettings,
        report: (StoreError) -> Void
    ) {
        guard let (writing, file) = handover.take() else { return }
        defer { withExtendedLifetime(file) {} }
        var sweepAt = MonotonicTime.now() + settings.sweepInterval
        var files: Deque<SQLiteFileRequest> = []
        while true {
            let (entries, isClosed) = queue.take()
            let requests = entries.map(\.request)
            var drafts = 0
            if !requests.isEmpty || !files.isEmpty {
                drafts = perform(requests, writing, settings, &files)
                // After the messages, for which clients wait, and a few at a time: each is a separate commit.
                for _ in 0..<min(filesMax, files.count) { files.removeFirst().run(writing.files) }
            } else if isClosed {
                return
            } else if writing.sweep.isDone {
                let left = sweepAt.since(.now())
                if left > 0 {
                    queue.wakeup.wait(left)
                    continue
                }
                writing.sweep.start()
                sweepAt = .now() + settings.sweepInterval
            }
            // Twice what was added, so that a hub that is never idle removes faster than it adds.
            guard !writing.sweep.isDone else { continue }
            do throws(StoreError) {
                try writing.sweep.step(rowsMax: drafts == 0 ? sweepRowsMax : min(max(2 * drafts, 100), 2 * 8192))
            } catch {
                report(error)
            }
        }
    }

    /// File transactions between those of messages.
    private static let filesMax = 4

    /// - Parameter files: receives the file requests.
    /// - Returns: the number of drafts.
    private static func perform(
        _ requests: [WriteRequest], _ writing: Writing, _ settings: StoreSettings,
        _ files: inout Deque<SQLiteFileRequest>
    ) -> Int {
        var group: [([MessageDraft], @Sendable ([AppendOutcome]) -> Void)] = []
        var receipts: [([ReceiptNote], @Sendable (Result<Void, StoreError>) -> Void)] = []
        var drafts = 0
        var total = 0
        func commit() {
            append(group, writing.writer, now: settings.clock())
            store(receipts, writing.writer)
            (group, receipts, drafts) = ([], [], 0)
        }
        for request in requests {
            switch request {
            case .append(let batch, let completion):
                if drafts > 0, drafts + batch.count > transactionDraftsMax { commit() }
                group.append((batch, completion))
                drafts += batch.count
                total += batch.count
            case .receipts(let batch, let completion): receipts.append((batch, completion))
            // Rare enough for a separate commit.
            case .sanctions(let batch, let completion): completion(writing.writer.store(batch))
            case .sweep(let completion):
                commit()
                completion(sweepAll(writing.sweep))
            case .files(let request): files.append(request)
            }
        }
        commit()
        return total
    }

    private static func append(
        _ group: [([MessageDraft], @Sendable ([AppendOutcome]) -> Void)], _ writer: SQLiteWriter, now: WallTime
    ) {
        guard !group.isEmpty else { return }
        switch writer.append(group.flatMap(\.0), now: now) {
        case .success(let outcomes):
            var rest = outcomes[...]
            for (batch, completion) in group {
                completion(Array(rest.prefix(batch.count)))
                rest = rest.dropFirst(batch.count)
            }
        case .failure(let error):
            for (batch, completion) in group {
                completion([AppendOutcome](repeating: .failed(error), count: batch.count))
            }
        }
    }

    /// After the messages, so that no receipt is ahead of its room.
    private static func store(
        _ group: [([ReceiptNote], @Sendable (Result<Void, StoreError>) -> Void)], _ writer: SQLiteWriter
    ) {
        guard !group.isEmpty else { return }
        let result = writer.store(group.flatMap(\.0))
        for (_, completion) in group { completion(result) }
    }

    private static func sweepAll(_ sweep: SQLiteSweep) -> Result<Void, StoreError> {
        do throws(StoreError) {
            sweep.start(all: true)
            while !sweep.isDone { try sweep.step(rowsMax: sweepRowsMax) }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    // MARK: The reading thread

    private static func read(_ handover: Handover<(SQLiteReader, SQLiteFile)>, _ queue: RequestQueue<ReadRequest>) {
        guard let (reader, file) = handover.take() else { return }
        defer { withExtendedLifetime(file) {} }
        while true {
            let (entries, isClosed) = queue.take()
            for entry in entries {
                switch entry.request {
                case .page(let request, let completion): completion(reader.read(request))
                case .rooms(let request, let completion): completion(reader.read(request))
                case .heads(let known, let completion): completion(reader.compare(known))
                }
            }
            guard entries.isEmpty else { continue }
            if isClosed { return }
            queue.wakeup.wait(.seconds(3600))
        }
    }
}
