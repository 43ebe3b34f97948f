internal import GoHubCore

/// The shard's shell: performs its actions.
extension HubLoop {
    /// Performs actions until only sending is left.
    func runUntilIdle() {
        while let action = shard.next(now: loop.now) { perform(action) }
        if let batch = shard.nextBatch() { appendBatch(batch) }
    }

    private func perform(_ action: consuming HubAction) {
        switch consume action {
        case .send(let session, let message):
            if session.edge == edge {
                send(session, message)
            } else {
                outboxes[session.edge.index].append(.send(session, message))
            }
        case .deliver(let event, let room, let edges): broadcast(event, room, to: edges)
        case .answer(let target, let number, let event):
            if target == edge {
                answer(number, event)
            } else {
                outboxes[target.index].append(.answer(number, event))
            }
        case .append(let appendRequest): append(appendRequest)
        case .read(let request, let pending): ask(.readHistory(request, pending))
        case .readRooms(let request, let requester): ask(.readRooms(request, requester))
        case .storeReceipts(let receipts): ask(.storeReceipts(receipts))
        case .storeSanctions(let sanctions): ask(.storeSanctions(sanctions))
        case .readHeads(let known): ask(.readHeads(known))
        case .readDirectNews(let cursor): ask(.readDirectNews(after: cursor))
        case .moderated(let record): record.log(to: shared.logger)
        case .forward(let input): route(input)
        case .forwardToAll(let input):
            shard.add(input)
            for other in outboxes.indices where other != index { outboxes[other].append(.input(input)) }
        case .bus(let request): shared.bus?.perform(request, of: index)
        case .scheduleTimer(let due): stateTimer = stateTimer.map { min($0, due) } ?? due
        case .drained: isShardDrained = true
        }
    }

    /// Broadcasts an event to a room's subscribers: encoded once, and framed once at each edge (`FanOut`).
    private func broadcast(_ event: Event, _ room: RoomID, to edges: [EdgeID]) {
        // Only an event that crosses to another loop needs its own memory.
        if edges.count == 1, edges[0] == edge {
            // No client may be dropped inside the closure, because dropping encodes other events.
            encoder.encode(event) { bytes in fanOut.deliver(bytes, room, deflater: deflater) { slow.append($0) } }
            return dropSlow()
        }
        let encoded = EncodedEvent(event, using: &encoder)
        for target in edges {
            if target == edge {
                deliverHere(encoded, room)
            } else {
                outboxes[target.index].append(.deliver(encoded, room))
            }
        }
    }

    /// Delivers to the subscribers at this loop's edge.
    func deliverHere(_ event: EncodedEvent, _ room: RoomID) {
        event.bytes.withUnsafeBytes { fanOut.deliver($0, room, deflater: deflater) { slow.append($0) } }
        dropSlow()
    }

    // MARK: The store

    private func append(_ appendRequest: AppendRequest) {
        guard let store = shared.immediateStore else { return shard.batch(appendRequest) }
        shard.appended(appendRequest, store.append(appendRequest.draft), now: loop.now)
    }

    private func appendBatch(_ batch: [AppendRequest]) {
        batchStartedAt = .now()
        ask(.append(batch))
    }

    private func ask(_ request: StoreRequest) {
        if let store = shared.immediateStore { return shard.answered(store.answer(to: request), now: loop.now) }
        let mailbox = shared.mailboxes[index]
        shared.store.ask(request) { mailbox.put([.storeAnswered($0)]) }
    }

    func storeAnswered(_ answer: StoreAnswer) {
        if case .appended = answer {
            metrics.appended(nanoseconds: MonotonicTime.now().nanoseconds - batchStartedAt.nanoseconds)
            if let next = shard.batchCompleted() { appendBatch(next) }
        }
        shard.answered(answer, now: loop.now)
    }
}
