internal import GoHubCore

/// The shard: inputs to its state, and the state's actions.
extension HubLoop {
    /// To the shard that owns what the input speaks of; possibly this one.
    func route(_ input: HubInput) {
        let owner = shared.shard(for: input)
        if owner == index {
            shard.add(input)
        } else {
            outboxes[owner].append(.input(input))
        }
    }

    /// Works until nothing is left to do but to send.
    func workOff() {
        while let action = shard.next(now: loop.now) { perform(action) }
        if let batch = shard.nextBatch() { append(batch) }
    }

    private func perform(_ action: consuming HubAction) {
        switch consume action {
        case .tell(let session, let message):
            if session.edge == edge {
                tell(session, message)
            } else {
                outboxes[session.edge.index].append(.tell(session, message))
            }
        case .deliver(let event, let room, let edges): deliver(event, room, to: edges)
        case .answer(let target, let number, let event):
            if target == edge {
                answer(number, event)
            } else {
                outboxes[target.index].append(.answer(number, event))
            }
        case .append(let publication): append(publication)
        case .read(let request, let pending): read(request, pending)
        case .storeReceipts(let receipts): store(receipts)
        case .storeSanctions(let sanctions): store(sanctions)
        case .moderated(let record): record.log(to: shared.logger)
        case .readRooms(let request, let requester): readRooms(request, requester)
        case .forward(let input): route(input)
        case .scheduleTimer(let due): stateTimer = stateTimer.map { min($0, due) } ?? due
        case .drained: isShardDrained = true
        }
    }

    private func deliver(_ event: Event, _ room: RoomID, to edges: [EdgeID]) {
        // Only what crosses to another loop needs memory of its own.
        if edges.count == 1, edges[0] == edge {
            // Inside, nobody must be dropped: who is has other events to be encoded.
            encoder.encode(event) { bytes in fanOut.deliver(bytes, room, deflater: deflater) { slow.append($0) } }
            return dropSlow()
        }
        let encoded = EncodedEvent(event, using: &encoder)
        for target in edges {
            if target == edge {
                encoded.bytes.withUnsafeBytes { deliver($0, room) }
            } else {
                outboxes[target.index].append(.deliver(encoded, room))
            }
        }
    }

    /// To the subscribers at this loop's edge.
    ///
    /// - Parameter event: one event's JSON, which is copied.
    func deliver(_ event: UnsafeRawBufferPointer, _ room: RoomID) {
        fanOut.deliver(event, room, deflater: deflater) { slow.append($0) }
        dropSlow()
    }

    // MARK: The store

    private func append(_ publication: Publication) {
        guard let store = shared.immediateStore else { return shard.batch(publication) }
        shard.appended(publication, store.append(publication.draft), now: loop.now)
    }

    private func append(_ batch: [Publication]) {
        batchStartedAt = .now()
        let mailbox = shared.mailboxes[index]
        shared.store.append(batch.map(\.draft)) { mailbox.put([.appended(batch, $0)]) }
    }

    func appended(_ batch: [Publication], _ outcomes: [AppendOutcome]) {
        metrics.appended(nanoseconds: MonotonicTime.now().nanoseconds - batchStartedAt.nanoseconds)
        if let next = shard.batchCompleted() { append(next) }
        shard.appended(batch, outcomes, now: loop.now)
    }

    private func read(_ request: HistoryRequest, _ pending: PendingRead) {
        if let store = shared.immediateStore {
            return shard.historyRead(pending, .success(store.read(request)), request, now: loop.now)
        }
        let mailbox = shared.mailboxes[index]
        shared.store.read(request) { mailbox.put([.historyRead(pending, $0, request)]) }
    }

    private func store(_ receipts: [ReceiptNote]) {
        if let store = shared.immediateStore {
            return shard.receiptsStored(.success(store.store(receipts)), now: loop.now)
        }
        let mailbox = shared.mailboxes[index]
        shared.store.store(receipts) { mailbox.put([.receiptsStored($0)]) }
    }

    private func store(_ sanctions: [SanctionNote]) {
        if let store = shared.immediateStore {
            return shard.sanctionsStored(.success(store.store(sanctions)), now: loop.now)
        }
        let mailbox = shared.mailboxes[index]
        shared.store.store(sanctions) { mailbox.put([.sanctionsStored($0)]) }
    }

    private func readRooms(_ request: RoomsRequest, _ requester: Requester) {
        if let store = shared.immediateStore { return shard.roomsRead(requester, .success(store.read(request))) }
        let mailbox = shared.mailboxes[index]
        shared.store.read(request) { mailbox.put([.roomsRead(requester, $0)]) }
    }
}
