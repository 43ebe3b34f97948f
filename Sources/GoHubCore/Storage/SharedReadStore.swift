internal import Synchronization

extension MessageStore {
    /// This store, with one read for concurrent requests for the same page. For a store that is slow to read: thousands
    /// of clients ask for the same page after a restart.
    ///
    /// An answer is never older than its request.
    public func sharingReads() -> any MessageStore { SharedReadStore(self) }
}

/// A store that answers concurrent requests for the same page with one read of the underlying store: thousands of
/// clients make them after a restart.
///
/// A read never gets an answer that was read before it was requested. While a read is in progress, requests for the
/// same page wait together for the next one, so that a client with an acknowledgement finds the message in the history.
package final class SharedReadStore: MessageStore {
    private typealias Completion = @Sendable (Result<HistoryPage, StoreError>) -> Void

    private let store: any MessageStore
    /// For each read in progress, the requests that wait for the next one. The limits of the callers' reads bound them.
    private let waiting = Mutex<[HistoryRequest: [Completion]]>([:])

    package init(_ store: any MessageStore) {
        self.store = store
    }

    package func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        store.append(batch, completion: completion)
    }

    package func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        let isFirst = waiting.withLock { waiting in
            guard waiting[request] != nil else {
                waiting[request] = []
                return true
            }
            waiting[request]?.append(completion)
            return false
        }
        if isFirst { read(request, for: [completion]) }
    }

    package func saveReceipts(
        _ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        store.saveReceipts(receipts, completion: completion)
    }

    package func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void
    ) {
        store.saveSanctions(sanctions, completion: completion)
    }

    package func readRooms(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        store.readRooms(request, completion: completion)
    }

    package func readHeads(
        _ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void
    ) {
        store.readHeads(known, completion: completion)
    }

    package func readDirectNews(
        after cursor: DirectNews.Cursor, completion: @escaping @Sendable (Result<DirectNews, StoreError>) -> Void
    ) {
        store.readDirectNews(after: cursor, completion: completion)
    }

    private func read(_ request: HistoryRequest, for completions: [Completion]) {
        store.readHistory(request) { [self] result in
            for completion in completions { completion(result) }
            let next = waiting.withLock { waiting -> [Completion] in
                let next = waiting[request] ?? []
                waiting[request] = next.isEmpty ? nil : []
                return next
            }
            if !next.isEmpty { read(request, for: next) }
        }
    }
}
