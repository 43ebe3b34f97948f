internal import DequeModule

/// A shard of the hub at work: its state, the inputs that wait for it, and the actions that it has asked for, both
/// first in, first out. Every shell drives one:
///
/// ```swift
/// shard.add(input)
/// while let action = shard.next(now: now) { perform(action) }
/// if let batch = shard.nextBatch() { append(batch) }
/// ```
///
/// What an action brings back from the store, or from a session, is added meanwhile, and comes in its turn. It is one
/// value, so that a shell reaches into it once a step.
package struct Shard {
    package private(set) var state: HubState
    private var inputs: Deque<HubInput> = []
    private var actions: [HubAction] = []
    /// Those before it are performed.
    private var nextAction = 0
    private var batcher = AppendBatcher()
    private var publishedCount = 0

    package init(limits: Limits) {
        state = HubState(limits: limits)
    }

    /// Whether nothing waits but for the store. Asked in place (`mutating`), by each turn of another module's loop: a
    /// copy of the shard would be dear.
    package var isIdle: Bool {
        mutating get { inputs.isEmpty && nextAction == actions.count }
    }

    package mutating func add(_ input: HubInput) {
        inputs.append(input)
    }

    /// What the shell is to do next; `nil` when there is nothing, but perhaps a batch.
    package mutating func next(now: MonotonicTime) -> HubAction? {
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

    // MARK: Batches

    /// Has a message wait for the next batch.
    package mutating func batch(_ appendRequest: AppendRequest) {
        batcher.add(appendRequest)
    }

    /// All that has gathered while the last batch was in the store; `nil` while that is there still.
    package mutating func nextBatch() -> [AppendRequest]? {
        batcher.nextBatch()
    }

    /// The batch in flight is back. The next one should leave before the shell hands over what came of this one, so
    /// that the store works meanwhile.
    package mutating func batchCompleted() -> [AppendRequest]? {
        batcher.completed()
        return batcher.nextBatch()
    }

    // MARK: The store

    /// What has come of one message, of a store that never waits.
    package mutating func appended(_ appendRequest: AppendRequest, _ outcome: AppendOutcome, now: MonotonicTime) {
        state.stored(appendRequest, outcome, now: now, into: &actions)
    }

    /// The store's answer.
    package mutating func answered(_ answer: StoreAnswer, now: MonotonicTime) {
        switch answer {
        case .appended(let batch, let outcomes):
            for (appendRequest, outcome) in zip(batch, outcomes) { appended(appendRequest, outcome, now: now) }
        case .historyRead(let pending, let result, let request):
            state.historyRead(pending, result, request, now: now, into: &actions)
        case .roomsRead(let requester, let result): state.roomsRead(requester, result, into: &actions)
        case .receiptsStored(let result): state.receiptsStored(result, now: now, into: &actions)
        case .sanctionsStored(let result): state.sanctionsStored(result, now: now, into: &actions)
        }
    }

    // MARK: Time

    package mutating func timerFired(now: MonotonicTime) {
        state.timerFired(now: now, into: &actions)
    }

    /// Messages that somebody wanted published, since the last call.
    package mutating func takePublishedCount() -> Int {
        defer { publishedCount = 0 }
        return publishedCount
    }
}
