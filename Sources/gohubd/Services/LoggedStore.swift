internal import GoHubCore
internal import GoHubSystem
internal import Logging

/// Logs a store's failures: clients only receive `unavailable`.
///
/// One line in ten seconds, with the number of failed requests since the last: a full disk fails all of them.
final class LoggedStore: MessageStore {
    private let store: any MessageStore
    private let now: @Sendable () -> MonotonicTime
    private let log: @Sendable (String) -> Void
    private let throttle = LogThrottle()

    init(
        _ store: any MessageStore, now: @escaping @Sendable () -> MonotonicTime = { .now() },
        log: @escaping @Sendable (String) -> Void
    ) {
        self.store = store
        self.now = now
        self.log = log
    }

    func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        store.append(batch) { [self] outcomes in
            completion(outcomes)
            var count = 0
            var error: StoreError?
            for case .failed(let failure) in outcomes { (count, error) = (count + 1, error ?? failure) }
            if let error { failed(count, error) }
        }
    }

    func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        store.readHistory(request) { [self] in note($0, completion) }
    }

    func saveReceipts(_ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        store.saveReceipts(receipts) { [self] in note($0, completion) }
    }

    func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void
    ) {
        store.saveSanctions(sanctions) { [self] in note($0, completion) }
    }

    func readRooms(_ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void) {
        store.readRooms(request) { [self] in note($0, completion) }
    }

    func readHeads(_ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void) {
        store.readHeads(known) { [self] in note($0, completion) }
    }

    func readDirectNews(
        after cursor: DirectNews.Cursor, completion: @escaping @Sendable (Result<DirectNews, StoreError>) -> Void
    ) {
        store.readDirectNews(after: cursor) { [self] in note($0, completion) }
    }

    private func note<Value>(
        _ result: Result<Value, StoreError>, _ completion: (Result<Value, StoreError>) -> Void
    ) {
        completion(result)
        if case .failure(let error) = result { failed(1, error) }
    }

    private func failed(_ count: Int, _ error: StoreError) {
        throttle.log(count, now: now().nanoseconds) { leftOut in
            let total = count + leftOut
            log("the store failed \(total) \(total == 1 ? "request" : "requests") \(error.logText)")
        }
    }
}
