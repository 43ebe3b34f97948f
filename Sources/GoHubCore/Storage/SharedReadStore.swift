internal import Synchronization

/// A store in front of another that answers many who ask for the same page at a time with one read: what thousands of
/// clients do who come back after a restart.
///
/// A read is never answered with what was read before it was asked for. While one is under way, those who ask for the same
/// wait together for the next one, so that whoever has an acknowledgement finds the message in the history.
public final class SharedReadStore: MessageStore {
    private typealias Completion = @Sendable (Result<HistoryPage, StoreError>) -> Void

    private let store: any MessageStore
    /// For each read under way, those who wait for the next one. They are bounded by what bounds the callers' reads.
    private let waiting = Mutex<[HistoryRequest: [Completion]]>([:])

    public init(_ store: any MessageStore) {
        self.store = store
    }

    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        store.append(batch, completion: completion)
    }

    public func read(
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

    public func store(_ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        store.store(receipts, completion: completion)
    }

    public func store(
        _ sanctions: [SanctionNote], completion: @escaping @Sendable (Result<[SanctionOutcome], StoreError>) -> Void
    ) {
        store.store(sanctions, completion: completion)
    }

    public func read(_ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void) {
        store.read(request, completion: completion)
    }

    private func read(_ request: HistoryRequest, for completions: [Completion]) {
        store.read(request) { [self] result in
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
