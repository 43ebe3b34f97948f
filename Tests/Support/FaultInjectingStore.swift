public import GoHubCore
internal import Synchronization

/// A store in front of another whose answers the test delays or replaces by failures.
///
/// Requests are passed on at once; only the answers wait. So the test chooses the order of the store's work and the
/// order in which its caller learns of it, as a network does.
public final class FaultInjectingStore: MessageStore {
    public enum Fault: Sendable {
        /// Fails with nothing stored.
        case failBefore
        /// Stores everything, but answers with a failure: the connection was lost in between.
        case failAfter
    }

    private struct State {
        var isHolding = false
        var held: [@Sendable () -> Void] = []
        var faults: [Fault] = []
    }

    private let store: any MessageStore
    private let state = Mutex(State())

    public init(_ store: any MessageStore = InMemoryMessageStore(seed: 1)) {
        self.store = store
    }

    /// The number of held answers.
    public var heldCount: Int { state.withLock { $0.held.count } }

    /// Holds all further answers until `release`.
    public func hold() {
        state.withLock { $0.isHolding = true }
    }

    /// Releases one held answer, by default the oldest.
    public func releaseOne(at index: Int = 0) {
        let answer = state.withLock { $0.held.indices.contains(index) ? $0.held.remove(at: index) : nil }
        answer?()
    }

    /// Releases all held answers, and holds no more.
    public func release() {
        let answers = state.withLock { state in
            defer { state.held = [] }
            state.isHolding = false
            return state.held
        }
        for answer in answers { answer() }
    }

    /// Makes the next request fail.
    public func fail(_ fault: Fault) {
        state.withLock { $0.faults.append(fault) }
    }

    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        let failed = [AppendOutcome](repeating: .failed(StoreError("a fault of the test")), count: batch.count)
        switch nextFault() {
        case .failBefore: answer { completion(failed) }
        case .failAfter: store.append(batch) { [self] _ in answer { completion(failed) } }
        case nil: store.append(batch) { [self] outcomes in answer { completion(outcomes) } }
        }
    }

    public func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        guard nextFault() == nil else {
            answer { completion(.failure(StoreError("a fault of the test"))) }
            return
        }
        store.readHistory(request) { [self] result in answer { completion(result) } }
    }

    public func saveReceipts(
        _ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void
    ) {
        let failed = Result<Void, StoreError>.failure(StoreError("a fault of the test"))
        switch nextFault() {
        case .failBefore: answer { completion(failed) }
        case .failAfter: store.saveReceipts(receipts) { [self] _ in answer { completion(failed) } }
        case nil: store.saveReceipts(receipts) { [self] result in answer { completion(result) } }
        }
    }

    public func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void
    ) {
        let failed = Result<[SanctionNote.Outcome], StoreError>.failure(StoreError("a fault of the test"))
        switch nextFault() {
        case .failBefore: answer { completion(failed) }
        case .failAfter: store.saveSanctions(sanctions) { [self] _ in answer { completion(failed) } }
        case nil: store.saveSanctions(sanctions) { [self] result in answer { completion(result) } }
        }
    }

    public func readRooms(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        guard nextFault() == nil else {
            answer { completion(.failure(StoreError("a fault of the test"))) }
            return
        }
        store.readRooms(request) { [self] result in answer { completion(result) } }
    }

    public func readHeads(
        _ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void
    ) {
        guard nextFault() == nil else {
            answer { completion(.failure(StoreError("a fault of the test"))) }
            return
        }
        store.readHeads(known) { [self] result in answer { completion(result) } }
    }

    public func readDirectNews(
        after cursor: DirectNews.Cursor, completion: @escaping @Sendable (Result<DirectNews, StoreError>) -> Void
    ) {
        guard nextFault() == nil else {
            answer { completion(.failure(StoreError("a fault of the test"))) }
            return
        }
        store.readDirectNews(after: cursor) { [self] result in answer { completion(result) } }
    }

    private func nextFault() -> Fault? {
        state.withLock { $0.faults.isEmpty ? nil : $0.faults.removeFirst() }
    }

    private func answer(_ completion: @escaping @Sendable () -> Void) {
        let isHeld = state.withLock { state in
            if state.isHolding { state.held.append(completion) }
            return state.isHolding
        }
        if !isHeld { completion() }
    }
}
