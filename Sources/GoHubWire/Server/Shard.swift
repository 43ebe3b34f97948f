internal import DequeModule
internal import GoHubCore

/// A loop's shard of the hub: its state, the inputs that wait for it, and the actions that it has asked for, both first
/// in, first out. One value, so that the loop reaches into it once a step.
struct Shard {
    private(set) var state: HubState
    private var inputs: Deque<HubInput> = []
    private var actions: [HubAction] = []
    /// Those before it are done.
    private var nextAction = 0
    private var batcher = AppendBatcher()
    private var publishedCount = 0

    init(limits: Limits) {
        state = HubState(limits: limits)
    }

    /// Whether nothing waits but for the store.
    var isIdle: Bool { inputs.isEmpty && nextAction == actions.count }

    mutating func add(_ input: HubInput) {
        inputs.append(input)
    }

    /// What the loop is to do next; `nil` when there is nothing, but perhaps a batch.
    mutating func nextAction(now: MonotonicTime) -> HubAction? {
        while nextAction == actions.count {
            actions.removeAll(keepingCapacity: true)
            nextAction = 0
            guard let input = inputs.popFirst() else { return nil }
            if case .published = input { publishedCount += 1 }
            state.receive(input, now: now, into: &actions)
        }
        // Taken out, which costs less than a copy of it.
        var action = HubAction.drained
        swap(&action, &actions[nextAction])
        nextAction += 1
        return action
    }

    /// All that has gathered while the last batch was in the store; `nil` while that is there still.
    mutating func nextBatch() -> [Publication]? {
        batcher.nextBatch()
    }

    // MARK: The store

    /// Waits for the next batch.
    mutating func batch(_ publication: Publication) {
        batcher.add(publication)
    }

    mutating func stored(_ publication: Publication, _ outcome: AppendOutcome, now: MonotonicTime) {
        state.stored(publication, outcome, now: now, into: &actions)
    }

    /// The batch in flight is back, and another one may go.
    mutating func batchCompleted() {
        batcher.completed()
    }

    /// What has come of a batch.
    mutating func stored(_ batch: [Publication], _ outcomes: [AppendOutcome], now: MonotonicTime) {
        for (publication, outcome) in zip(batch, outcomes) { stored(publication, outcome, now: now) }
    }

    mutating func historyRead(
        _ pending: PendingRead, _ result: Result<HistoryPage, StoreError>, _ request: HistoryRequest,
        now: MonotonicTime
    ) {
        actions += state.historyRead(pending, result, request, now: now)
    }

    mutating func receiptsStored(_ result: Result<Void, StoreError>, now: MonotonicTime) {
        actions += state.receiptsStored(result, now: now)
    }

    mutating func sanctionsStored(_ result: Result<[SanctionOutcome], StoreError>, now: MonotonicTime) {
        actions += state.sanctionsStored(result, now: now)
    }

    mutating func roomsRead(_ requester: Requester, _ result: Result<RoomsPage, StoreError>) {
        actions += state.roomsRead(requester, result)
    }

    // MARK: Time

    mutating func timerFired(now: MonotonicTime) {
        actions += state.timerFired(now: now)
    }

    /// Messages that somebody wanted published, since the last call.
    mutating func takePublishedCount() -> Int {
        defer { publishedCount = 0 }
        return publishedCount
    }
}
