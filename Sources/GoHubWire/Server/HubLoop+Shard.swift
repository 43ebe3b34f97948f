internal import DequeModule
internal import GoHubCore

/// The shard: inputs to its state, and the state's actions.
extension HubLoop {
    /// To the shard that owns what the input speaks of; possibly this one.
    func route(_ input: HubInput) {
        let shard = shared.shard(of: input.owner)
        if shard == index {
            inputs.append(input)
        } else {
            outboxes[shard].append(.input(input))
        }
    }

    /// Works until nothing is left to do but to send.
    func workOff() {
        while true {
            if let action = actions.popFirst() {
                perform(action)
            } else if let input = inputs.popFirst() {
                if case .published = input { metrics.published += 1 }
                actions += state.receive(input, now: loop.now)
            } else if let batch = batcher.nextBatch() {
                append(batch)
            } else {
                return
            }
        }
    }

    private func perform(_ action: HubAction) {
        switch action {
        case .tell(let session, let message):
            if session.edge == edge {
                tell(session, message)
            } else {
                outboxes[session.edge.index].append(.tell(session, message))
            }
        case .deliver(let event, let room, let edges):
            let encoded = EncodedEvent(event)
            for target in edges {
                if target == edge {
                    deliver(encoded, room)
                } else {
                    outboxes[target.index].append(.deliver(encoded, room))
                }
            }
        case .answer(let target, let number, let event):
            if target == edge {
                answer(number, event)
            } else {
                outboxes[target.index].append(.answer(number, event))
            }
        case .append(let publication): batcher.add(publication)
        case .read(let request, let pending): read(request, pending)
        case .forward(let input): route(input)
        case .scheduleTimer(let due): stateTimer = stateTimer.map { min($0, due) } ?? due
        case .drained: isShardDrained = true
        }
    }

    /// To the subscribers at this loop's edge.
    func deliver(_ event: EncodedEvent, _ room: RoomID) {
        var overflowed: [Connection] = []
        fanOut.deliver(event, room, deflater: deflater) { overflowed.append($0) }
        drop(overflowed)
    }

    // MARK: The store

    private func append(_ batch: [Publication]) {
        batchStartedAt = .now()
        let mailbox = shared.mailboxes[index]
        let handoff = Handoff<[AppendOutcome]>()
        shared.store.append(batch.map(\.draft)) { outcomes in
            if !handoff.fill(outcomes) { mailbox.put([.stored(batch, outcomes)]) }
        }
        if let outcomes = handoff.takeOrDetach() { stored(batch, outcomes) }
    }

    func stored(_ batch: [Publication], _ outcomes: [AppendOutcome]) {
        batcher.completed()
        metrics.appended(nanoseconds: MonotonicTime.now().nanoseconds - batchStartedAt.nanoseconds)
        for (publication, outcome) in zip(batch, outcomes) {
            actions += state.stored(publication, outcome, now: loop.now)
        }
    }

    private func read(_ request: HistoryRequest, _ pending: PendingRead) {
        let mailbox = shared.mailboxes[index]
        let handoff = Handoff<Result<HistoryPage, StoreError>>()
        shared.store.read(request) { result in
            if !handoff.fill(result) { mailbox.put([.historyRead(pending, result, request)]) }
        }
        guard let result = handoff.takeOrDetach() else { return }
        actions += state.historyRead(pending, result, request, now: loop.now)
    }
}
