internal import Synchronization

/// A store that answers concurrent requests for the same page with one read of the underlying store: thousands of
/// clients make them after a restart.
///
/// A read never gets an answer that was read before it was requested. While a read is in progress, requests for the
/// same page wait together for the next one, so that a client with an acknowledgement finds the message in the history.
public final class SharedReadStore: MessageStore {
    private typealias Completion = @Sendable (Result<HistoryPage, StoreError>) -> Void

    private let store: any MessageStore
    /// For each read in progress, the requests that wait for the next one. The limits of the callers' reads bound them.
    private let waiting = Mutex<[HistoryRequest: [Completion]]>([:])

    public init(_ store: any MessageStore) {
        self.store = store
    }

    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        store.append(batch, completion: completion)
    }

    public func readHistory(
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

    public func saveReceipts(
        _ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        store.saveReceipts(receipts, completion: completion)
    }

    public func saveSanctions(
        _ sanctions: [SanctionNote], completion: @escaping @Sendable (Result<[SanctionOutcome], StoreError>) -> Void
    ) {
        store.saveSanctions(sanctions, completion: completion)
    }

    public func readRooms(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        store.readRooms(request, completion: completion)
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
