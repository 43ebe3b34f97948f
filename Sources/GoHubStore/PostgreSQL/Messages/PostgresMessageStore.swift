public import GoHubCore
internal import GoHubSystem

/// Messages in a PostgreSQL database (version 14 or later), which several hubs may share.
///
/// One connection writes, another reads. Each is driven by its own thread, which never waits without a deadline: while
/// the server is unreachable, waiting requests are refused in time, and the threads keep reconnecting. A draft whose
/// answer was lost is `failed`, whether it was stored or not; a repetition gets the true outcome.
///
/// A hub that drives the connections from its own event loop would replace `PostgresLink`, the only part that waits: a
/// connection performs its waits through `Pause`.
public final class PostgresMessageStore: DurableMessageStore {
    public typealias Purpose = PostgresOptions.Purpose
    public typealias Event = PostgresOptions.Event
    public typealias Options = PostgresOptions

    let writing: PostgresLink<PostgresWriter>
    private let reading: PostgresLink<PostgresReader>
    private let ended = Latch(count: 2)

    /// Begins to connect without waiting for it.
    ///
    /// - Parameters:
    ///   - url: a connection URL or `key=value` string of libpq, with all of its options.
    ///   - options: time limits and events of both connections.
    ///   - settings: idempotency, retention and the bounds of waiting requests.
    /// - Throws: `StoreError` for an invalid URL, and when the system has no threads.
    public init(
        url: String, options: Options = Options(), settings: StoreSettings = StoreSettings()
    ) throws(StoreError) {
        let string = try PostgresConnectionString(url)
        let origin = Int64.random(in: .min ... .max)
        writing = try PostgresLink(.writing, string, options, weightMax: settings.draftsWaitingMax)
        reading = try PostgresLink(.reading, string, options, weightMax: settings.readsWaitingMax)
        try StoreThread.start(name: "gohub-pq-w") { [writing, ended] in
            writing.run(PostgresWriter(options, settings, origin: origin))
            ended.countDown()
        }
        do throws(StoreError) {
            try StoreThread.start(name: "gohub-pq-r") { [reading, ended] in
                reading.run(PostgresReader(options, settings, origin: origin))
                ended.countDown()
            }
        } catch {
            writing.queue.close()
            throw error
        }
    }

    deinit {
        writing.queue.close()
        reading.queue.close()
    }

    // MARK: Requests

    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        guard !batch.isEmpty else { return completion([]) }
        let refusal = writing.queue.put(.append(batch, completion), weight: batch.count, deadline: writing.deadline)
        guard let refusal else { return }
        completion([AppendOutcome](repeating: .failed(refusal.error), count: batch.count))
    }

    public func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        let refusal = reading.queue.put(.page(request, completion), deadline: reading.deadline)
        if let refusal { completion(.failure(refusal.error)) }
    }

    public func readHeads(
        _ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void
    ) {
        let refusal = reading.queue.put(.heads(known, completion), deadline: reading.deadline)
        if let refusal { completion(.failure(refusal.error)) }
    }

    public func readDirectNews(
        after cursor: DirectNews.Cursor, completion: @escaping @Sendable (Result<DirectNews, StoreError>) -> Void
    ) {
        let refusal = reading.queue.put(.directNews(cursor, completion), deadline: reading.deadline)
        if let refusal { completion(.failure(refusal.error)) }
    }

    public func saveReceipts(
        _ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        let refusal = writing.queue.put(
            .receipts(receipts, completion), weight: receipts.count, deadline: writing.deadline)
        if let refusal { completion(.failure(refusal.error)) }
    }

    public func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void
    ) {
        let refusal = writing.queue.put(
            .sanctions(sanctions, completion), weight: sanctions.count, deadline: writing.deadline)
        if let refusal { completion(.failure(refusal.error)) }
    }

    public func readRooms(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        let refusal = reading.queue.put(.rooms(request, completion), deadline: reading.deadline)
        if let refusal { completion(.failure(refusal.error)) }
    }

    /// Does nothing while another node runs retention.
    public func sweep() async throws(StoreError) {
        let result = await withCheckedContinuation { continuation in
            let request = PostgresWriter.Request.sweep { continuation.resume(returning: $0) }
            guard let refusal = writing.queue.put(request, deadline: writing.deadline) else { return }
            continuation.resume(returning: .failure(refusal.error))
        }
        try result.get()
    }

    public var isReady: Bool { writing.isReady && reading.isReady }

    public func close() async {
        writing.queue.close()
        reading.queue.close()
        await ended.wait()
    }
}
