/// A store that answers immediately, because it never waits: one in memory. A shell that knows this gets the answer
/// from the call, one message after the other, without a batch, a completion or another turn.
package protocol ImmediateMessageStore: MessageStore {
    /// Stores one message, like `append` of a batch.
    func append(_ draft: MessageDraft) -> AppendOutcome

    /// Reads like `readHistory` with a completion.
    func readHistory(_ request: HistoryRequest) -> HistoryPage

    /// Stores like `saveReceipts` with a completion.
    func saveReceipts(_ receipts: [ReceiptNote])

    /// Stores like `saveSanctions` with a completion.
    func saveSanctions(_ sanctions: [SanctionNote]) -> [SanctionNote.Outcome]

    /// Reads like `readRooms` with a completion.
    func readRooms(_ request: RoomsRequest) -> RoomsPage

    /// Reads like `readHeads` with a completion.
    func readHeads(_ known: [RoomHead]) -> [RoomHead]
}

// Public, because the public store in memory gets the requirements of `MessageStore` from here.
extension ImmediateMessageStore {
    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        completion(batch.map { append($0) })
    }

    public func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        completion(.success(readHistory(request)))
    }

    public func saveReceipts(
        _ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        completion(.success(saveReceipts(receipts)))
    }

    public func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void
    ) {
        completion(.success(saveSanctions(sanctions)))
    }

    public func readRooms(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        completion(.success(readRooms(request)))
    }

    public func readHeads(
        _ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void
    ) {
        completion(.success(readHeads(known)))
    }
}
