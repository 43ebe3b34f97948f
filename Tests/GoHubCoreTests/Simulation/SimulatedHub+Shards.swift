@testable import GoHubCore

/// The hub's shards: letters from edges and other shards, and the store.
extension SimulatedHub {
    // MARK: Letters

    func post(_ letter: Letter, from: Int, to: Int) {
        mailboxes[from * Self.nodeCount + to].append(letter)
    }

    func post(_ input: HubInput, from node: Int) {
        let owner: Int
        switch input.owner {
        case .user(let key): owner = shard(of: key.user.value)
        case .room(let room): owner = shard(of: room.name.value)
        case .everyShard: return report(.dialogue, "an input for every shard has one sender only, the shell")
        }
        post(.input(input), from: node, to: Self.edgeCount + owner)
        if case .connected(let id, _) = input, planted.strikes(.welcomeEarly) {
            post(.action(.send(id, .welcome)), from: Self.edgeCount + owner, to: node)
        }
    }

    /// Not `hashValue`, which differs from run to run.
    private func shard(of name: String) -> Int {
        name.utf8.reduce(7) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % Self.shardCount
    }

    func state(of room: RoomID) -> HubState { shards[shard(of: room.name.value)].state }

    /// The users of a room as the hub knows them.
    func members(of name: RoomName) -> [UserID] {
        let room = RoomID(tenant: .standard, name: name)
        return state(of: room).members(of: room).listed.map(\.user)
    }

    func readLetter(_ link: Int) {
        plantBug(in: &mailboxes[link])
        guard let letter = mailboxes[link].takeFirst() else { return }
        let to = link % Self.nodeCount
        switch letter {
        case .input(let input):
            let shard = to - Self.edgeCount
            shards[shard].add(input)
            drive(shard)
        case .action(.send(let id, let message)):
            with(id) { $0.receivedFromHub(message, now: now, at: wall, into: &$1) }
        case .action(.deliver(let event, let room, _)):
            let encoded = EncodedEvent(event)
            let ids = (members[to][room] ?? []).sorted { $0.serial < $1.serial }
            for id in ids { offer(encoded, to: id) }
            if let id = ids.first, planted.strikes(.resyncWithoutCause, every: 40) {
                with(id) { $0.receivedFromHub(.close(.resyncNeeded), now: now, at: wall, into: &$1) }
            }
        case .action: break
        }
    }

    private func plantBug(in mailbox: inout [Letter]) {
        guard planted.bug != nil, let first = mailbox.first else { return }
        if case .action(.send(_, .reply)) = first, planted.strikes(.replyLost, every: 20) { mailbox.removeFirst() }
        guard mailbox.count > 1, case .action(.deliver(.message(let room, _), _, _)) = mailbox[0],
            case .action(.deliver(.message(room, _), _, _)) = mailbox[1], planted.strikes(.lettersSwapped)
        else { return }
        mailbox.swapAt(0, 1)
    }

    // MARK: Actions

    /// Performs what a shard wants after an input, in order, and sends its next batch.
    func drive(_ shard: Int) {
        changedShards.insert(shard)
        while let action = shards[shard].next(now: now) { perform(action, of: shard) }
        if let batch = shards[shard].nextBatch() { storeLink.ask(.append(batch), of: shard) }
    }

    private func perform(_ action: HubAction, of shard: Int) {
        let node = Self.edgeCount + shard
        switch action {
        case .send(let id, _): post(.action(action), from: node, to: id.edge.index)
        case .deliver(_, _, let edges): for edge in edges { post(.action(action), from: node, to: edge.index) }
        case .append(let appendRequest):
            let (room, user) = (appendRequest.draft.room, appendRequest.draft.from.user)
            if moderation.entry(of: user, in: room)?.hub == index {
                report(.sanctions, "\(user), who may not write, does in \(room.name)")
            }
            shards[shard].batch(appendRequest)
        case .read(let request, let pending): storeLink.ask(.readHistory(request, pending), of: shard)
        case .storeReceipts(let receipts): storeLink.ask(.storeReceipts(receipts), of: shard)
        case .storeSanctions(let sanctions): storeLink.ask(.storeSanctions(sanctions), of: shard)
        case .moderated(let record):
            observer.moderated(record)
            moderation.note(record, hub: index)
        case .readRooms(let request, let requester): storeLink.ask(.readRooms(request, requester), of: shard)
        case .readHeads(let known):
            // In the order of a dictionary, which differs from run to run.
            storeLink.ask(.readHeads(known.sorted { RoomName.precedes($0.room.name, $1.room.name) }), of: shard)
        case .readDirectNews(let cursor): storeLink.ask(.readDirectNews(after: cursor), of: shard)
        case .forward(let input): post(input, from: node)
        case .forwardToAll(let input):
            for shard in shards.indices { post(.input(input), from: node, to: Self.edgeCount + shard) }
        case .bus(let request): bus?.perform(request.numbered(for: shard), of: incarnation)
        case .scheduleTimer(let due):
            if planted.strikes(.timerLost, every: 30) { return }
            timers[shard] = timers[shard].map { min($0, due) } ?? due
        case .drained: drainedShards += 1
        case .answer: report(.dialogue, "nobody but sessions asked")
        }
    }

    // MARK: The bus

    /// The shell's part: each event goes to the shard that it is for.
    func received(_ event: BusEvent) {
        switch event {
        case .restored:
            hasReturned = true
            bus?.perform(.subscribe([.all, .node(incarnation)]), of: incarnation)
            for shard in shards.indices { add(.busRestored(wall), to: shard) }
        case .lost: for shard in shards.indices { add(.busLost, to: shard) }
        case .subscribed(let topics): for topic in topics { add(.subscribed(topic)) }
        case .heard(let frame):
            if case .returned = frame.message { peerReturned() } else { add(.received(frame)) }
        case .published(let number, let receivers):
            guard let (shard, number) = BusRequest.shard(of: number) else { return }
            add(.busPublished(number, receivers: receivers), to: shard)
        }
    }

    private func add(_ input: HubInput) {
        switch input.owner {
        case .user(let key): add(input, to: shard(of: key.user.value))
        case .room(let room): add(input, to: shard(of: room.name.value))
        case .everyShard: break
        }
    }

    func readStoreAnswer(_ place: Int) {
        let (shard, answer) = storeLink.takeAnswer(place)
        if case .appended = answer, let next = shards[shard].batchCompleted() {
            storeLink.ask(.append(next), of: shard)
        }
        shards[shard].answered(answer, now: now)
        drive(shard)
    }
}

extension Array {
    /// The queues of a simulation are short.
    mutating func takeFirst() -> Element? {
        isEmpty ? nil : removeFirst()
    }
}
