public import GoHubCore
internal import Synchronization

/// A store in front of another whose answers come when the test says so, and may be failures.
///
/// Everything is passed on at once; only the answers wait. So the order in which the store did the work and the order
/// in which its caller learns of it are the test's to choose, as they are a network's.
public final class FaultInjectingStore: MessageStore {
    public enum Fault: Sendable {
        /// Nothing was stored.
        case failBefore
        /// All was stored, but the answer is a failure: the connection was lost between the two.
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

    /// Answers that wait.
    public var heldCount: Int { state.withLock { $0.held.count } }

    /// From here on answers wait for `release`.
    public func hold() {
        state.withLock { $0.isHolding = true }
    }

    /// Gives one answer that waits, the oldest unless told.
    public func releaseOne(at index: Int = 0) {
        let answer = state.withLock { $0.held.indices.contains(index) ? $0.held.remove(at: index) : nil }
        answer?()
    }

    /// Gives all answers that wait, and holds no more.
    public func release() {
        let answers = state.withLock { state in
            defer { state.held = [] }
            state.isHolding = false
            return state.held
        }
        for answer in answers { answer() }
    }

    /// The next request fails so.
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

    public func read(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        guard nextFault() == nil else {
            answer { completion(.failure(StoreError("a fault of the test"))) }
            return
        }
        store.read(request) { [self] result in answer { completion(result) } }
    }

    public func store(_ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        let failed = Result<Void, StoreError>.failure(StoreError("a fault of the test"))
        switch nextFault() {
        case .failBefore: answer { completion(failed) }
        case .failAfter: store.store(receipts) { [self] _ in answer { completion(failed) } }
        case nil: store.store(receipts) { [self] result in answer { completion(result) } }
        }
    }

    public func store(
        _ sanctions: [SanctionNote], completion: @escaping @Sendable (Result<[SanctionOutcome], StoreError>) -> Void
    ) {
        let failed = Result<[SanctionOutcome], StoreError>.failure(StoreError("a fault of the test"))
        switch nextFault() {
        case .failBefore: answer { completion(failed) }
        case .failAfter: store.store(sanctions) { [self] _ in answer { completion(failed) } }
        case nil: store.store(sanctions) { [self] result in answer { completion(result) } }
        }
    }

    public func read(
        _ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void
    ) {
        guard nextFault() == nil else {
            answer { completion(.failure(StoreError("a fault of the test"))) }
            return
        }
        store.read(request) { [self] result in answer { completion(result) } }
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
