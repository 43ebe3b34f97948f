/// A message store with `async` requirements, for a client library that is used with `await`. `adapted()` makes
/// a `MessageStore` of it.
///
/// Each requirement follows the rules of its namesake in `MessageStore`, and must return in bounded time.
public protocol AsyncMessageStore: Sendable {
    /// Stores a batch in one transaction.
    ///
    /// - Returns: an outcome for each draft, in the order of the batch.
    func append(_ batch: [MessageDraft]) async -> [AppendOutcome]

    /// Reads a part of a room's history.
    func readHistory(_ request: HistoryRequest) async throws(StoreError) -> HistoryPage

    /// Reads a user's rooms.
    func readRooms(_ request: RoomsRequest) async throws(StoreError) -> RoomsPage

    /// Compares what a hub knows of some rooms with what is stored.
    ///
    /// - Parameter known: at most `RoomHead.roomsMax` different rooms.
    /// - Returns: the stored heads of those rooms that differ.
    func readHeads(_ known: [RoomHead]) async throws(StoreError) -> [RoomHead]

    /// Reads what other hubs have stored in direct conversations. By default there is no news.
    ///
    /// - Parameter cursor: the end of the last reading.
    /// - Returns: the news, and the place from which to read on.
    func readDirectNews(after cursor: DirectNews.Cursor) async throws(StoreError) -> DirectNews

    /// Stores receipts: the whole batch or nothing.
    func saveReceipts(_ receipts: [ReceiptNote]) async throws(StoreError)

    /// Stores mutes, bans and pardons: the whole batch or nothing.
    ///
    /// - Returns: an outcome for each, in the order of the batch.
    func saveSanctions(_ sanctions: [SanctionNote]) async throws(StoreError) -> [SanctionNote.Outcome]
}

extension AsyncMessageStore {
    public func readDirectNews(after cursor: DirectNews.Cursor) async throws(StoreError) -> DirectNews {
        DirectNews(cursor: cursor)
    }

    /// This store as a `MessageStore`, for a hub. Each request runs in a task of its own.
    ///
    /// The hub bounds the number of requests in flight (`Limits.storeRequestsInFlightMax`), and has at most one batch
    /// of each kind in the store, so that tasks can't change their order.
    public func adapted() -> any MessageStore { MessageStoreAdapter(self) }
}

/// Runs each request to an `AsyncMessageStore` in a task of its own: see `AsyncMessageStore.adapted`.
package struct MessageStoreAdapter<Base: AsyncMessageStore>: MessageStore {
    private let base: Base

    package init(_ base: Base) {
        self.base = base
    }

    package func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        Task { completion(await base.append(batch)) }
    }

    package func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        Self.run(completion) { () async throws(StoreError) in try await base.readHistory(request) }
    }

    package func readRooms(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        Self.run(completion) { () async throws(StoreError) in try await base.readRooms(request) }
    }

    package func readHeads(
        _ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void
    ) {
        Self.run(completion) { () async throws(StoreError) in try await base.readHeads(known) }
    }

    package func readDirectNews(
        after cursor: DirectNews.Cursor, completion: @escaping @Sendable (Result<DirectNews, StoreError>) -> Void
    ) {
        Self.run(completion) { () async throws(StoreError) in try await base.readDirectNews(after: cursor) }
    }

    package func saveReceipts(
        _ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        Self.run(completion) { () async throws(StoreError) in try await base.saveReceipts(receipts) }
    }

    package func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void
    ) {
        Self.run(completion) { () async throws(StoreError) in try await base.saveSanctions(sanctions) }
    }

    private static func run<Value: Sendable>(
        _ completion: @escaping @Sendable (Result<Value, StoreError>) -> Void,
        _ body: @escaping @Sendable () async throws(StoreError) -> Value
    ) {
        Task {
            do throws(StoreError) {
                completion(.success(try await body()))
            } catch {
                completion(.failure(error))
            }
        }
    }
}
