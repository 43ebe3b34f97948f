/// A store that has its answer at once, because it waits for nothing: one in memory. A shell that knows this gets the
/// answer where it asks, one message after the other, without a batch, a completion or another turn.
public protocol ImmediateMessageStore: MessageStore {
    /// Stores one message, as `append` of a batch does.
    func append(_ draft: MessageDraft) -> AppendOutcome

    /// Reads as `read` with a completion does.
    func read(_ request: HistoryRequest) -> HistoryPage

    /// Stores as `store` with a completion does.
    func store(_ receipts: [ReceiptNote])

    /// Stores as `store` with a completion does.
    func store(_ sanctions: [SanctionNote]) -> [SanctionOutcome]

    /// Reads as `read` with a completion does.
    func read(_ request: RoomsRequest) -> RoomsPage
}

extension ImmediateMessageStore {
    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        completion(batch.map { append($0) })
    }

    public func read(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        completion(.success(read(request)))
    }

    public func store(_ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        completion(.success(store(receipts)))
    }

    public func store(
        _ sanctions: [SanctionNote], completion: @escaping @Sendable (Result<[SanctionOutcome], StoreError>) -> Void
    ) {
        completion(.success(store(sanctions)))
    }

    public func read(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        completion(.success(read(request)))
    }
}
