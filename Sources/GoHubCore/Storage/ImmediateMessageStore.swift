/// A store that answers immediately, because it never waits: one in memory. A shell that knows this gets the answer
/// from the call, one message after the other, without a batch, a completion or another turn.
public protocol ImmediateMessageStore: MessageStore {
    /// Stores one message, like `append` of a batch.
    func append(_ draft: MessageDraft) -> AppendOutcome

    /// Reads like `read` with a completion.
    func read(_ request: HistoryRequest) -> HistoryPage

    /// Stores like `store` with a completion.
    func store(_ receipts: [ReceiptNote])

    /// Stores like `store` with a completion.
    func store(_ sanctions: [SanctionNote]) -> [SanctionOutcome]

    /// Reads like `read` with a completion.
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
