internal import DequeModule

/// A shard of the hub with its queues: its state, its waiting inputs, and its requested actions, both first in, first
/// out. Every shell drives one:
///
/// ```swift
/// shard.add(input)
/// while let action = shard.next(now: now) { perform(action) }
/// if let batch = shard.nextBatch() { append(batch) }
/// ```
///
/// Inputs that result from an action, from the store or from a session, are added at any time and wait for their turn.
/// It is one value, so that a shell accesses it once a step.
package struct Shard {
    package private(set) var state: HubState
    private var inputs: Deque<HubInput> = []
    private var actions: [HubAction] = []
    /// The actions before this index are performed.
    private var nextAction = 0
    private var batcher = AppendBatcher()
    private var publishedCount = 0

    /// - Parameter node: the node in its cluster; `nil` for a hub that has no bus.
    package init(limits: Limits, cluster: ClusterLimits = ClusterLimits(), node: NodeIncarnation? = nil) {
        state = HubState(limits: limits, cluster: cluster, node: node)
    }

    /// Whether nothing waits except for the store. Read in place (`mutating`), because another module's loop asks every
    /// turn, and would otherwise copy the shard.
    package var isIdle: Bool {
        mutating get { inputs.isEmpty && nextAction == actions.count }
    }

    package mutating func add(_ input: HubInput) {
        inputs.append(input)
    }

    /// The next action for the shell; `nil` when there is none, although a batch may be ready.
    package mutating func next(now: MonotonicTime) -> HubAction? {
        while nextAction == actions.count {
            if nextAction > 0 {
                actions.removeAll(keepingCapacity: true)
                nextAction = 0
            }
            guard let input = inputs.popFirst() else { return nil }
            if case .published = input { publishedCount += 1 }
            state.receive(input, now: now, into: &actions)
        }
        // Swapped out, which costs less than a copy.
        var action = HubAction.drained
        swap(&action, &actions[nextAction])
        nextAction += 1
        return action
    }

    // MARK: Batches

    /// Adds a message to the next batch.
    package mutating func batch(_ appendRequest: AppendRequest) {
        batcher.add(appendRequest)
    }

    /// All messages that arrived while the last batch was in the store; `nil` while a batch is in flight.
    package mutating func nextBatch() -> [AppendRequest]? {
        batcher.nextBatch()
    }

    /// Completes the batch in flight and returns the next one. The shell should send that before it handles the
    /// outcomes, so that the store works in parallel.
    package mutating func batchCompleted() -> [AppendRequest]? {
        batcher.completed()
        return batcher.nextBatch()
    }

    // MARK: The store

    /// Handles the outcome of one message, from a store that never waits.
    package mutating func appended(_ appendRequest: AppendRequest, _ outcome: AppendOutcome, now: MonotonicTime) {
        state.stored(appendRequest, outcome, now: now, into: &actions)
        state.publishEntries(now: now, into: &actions)
    }

    /// Handles the store's answer.
    package mutating func answered(_ answer: StoreAnswer, now: MonotonicTime) {
        switch answer {
        case .appended(let batch, let outcomes):
            for (appendRequest, outcome) in zip(batch, outcomes) {
                state.stored(appendRequest, outcome, now: now, into: &actions)
            }
            state.publishEntries(now: now, into: &actions)
        case .historyRead(let pending, let result, let request):
            state.historyRead(pending, result, request, now: now, into: &actions)
        case .roomsRead(let requester, let result): state.roomsRead(requester, result, into: &actions)
        case .receiptsStored(let result): state.receiptsStored(result, now: now, into: &actions)
        case .sanctionsStored(let result): state.sanctionsStored(result, now: now, into: &actions)
        case .headsRead(let result): state.headsRead(result, now: now, into: &actions)
        case .directNewsRead(let result): state.directNewsRead(result, now: now, into: &actions)
        }
    }

    // MARK: Time

    package mutating func timerFired(now: MonotonicTime) {
        state.timerFired(now: now, into: &actions)
    }

    /// The number of requested publications since the last call.
    package mutating func takePublishedCount() -> Int {
        defer { publishedCount = 0 }
        return publishedCount
    }
}
