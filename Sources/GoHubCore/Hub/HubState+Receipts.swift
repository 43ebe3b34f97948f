extension HubState {
    // MARK: What users say

    /// A user has got that far in a room, on some device. What is no news, or can't be, is dropped.
    public mutating func receipted(
        _ user: UserID, _ id: RoomID, _ receipt: Receipt, now: MonotonicTime
    ) -> [HubAction] {
        guard id.name.isDirect else {
            return rooms[id]?.users[user] == nil ? [] : advance(user, id, to: receipt, now: now)
        }
        return rooms[id]?.receipts.isLoaded == true
            ? advance(user, id, to: receipt, now: now) : receiptedEarly(user, id, receipt)
    }

    private mutating func advance(
        _ user: UserID, _ id: RoomID, to receipt: Receipt, now: MonotonicTime
    ) -> [HubAction] {
        workInSent(of: id)
        guard let index = rooms.index(forKey: id), let head = rooms.values[index].head,
            receipt.delivered <= head.offset, rooms.values[index].receipts.isNews(user, receipt),
            // What is left out is news still when it is said again.
            receiptWriter.note(id, head.epoch, user, receipt, max: limits.receiptsWaitingMax)
        else { return [] }
        rooms.values[index].receipts.expect(user, receipt, head.epoch, max: limits.receiptUsersMax)
        return storeReceiptsSoon(now: now)
    }

    /// A direct conversation isn't kept in memory: where it stands, and how far its users have got, has to be read.
    private mutating func receiptedEarly(_ user: UserID, _ id: RoomID, _ receipt: Receipt) -> [HubAction] {
        guard rooms[id] != nil || rooms.count < limits.roomsPerShardMax else { return [] }
        let isReading = rooms[id]?.receipts.early.isEmpty == false
        guard isReading || storeRequestsInFlight < limits.storeRequestsInFlightMax else { return [] }
        guard rooms[id, default: Room()].receipts.wait(user, receipt) else { return [] }
        storeRequestsInFlight += 1
        let read = HistoryRequest(
            room: id, range: .newest, messagesMax: 0, bytesMax: 0, receiptsMax: receiptsToRead(of: id))
        return [.read(read, .receipts)]
    }

    mutating func receiptsRead(
        _ id: RoomID, _ result: Result<HistoryPage, StoreError>, now: MonotonicTime
    ) -> [HubAction] {
        var actions: [HubAction] = []
        if case .success(let page) = result, let room = rooms[id], !room.receipts.isLoaded {
            if rooms[id]?.learn(page.head) == false {
                actions += startOver(id, now: now)
                _ = rooms[id]?.learn(page.head)
            }
            loadReceipts(page, of: id)
        }
        let early = rooms[id]?.receipts.takeEarly() ?? [:]
        if rooms[id]?.receipts.isLoaded == true {
            for (user, receipt) in early { actions += advance(user, id, to: receipt, now: now) }
        }
        forgetIfIdle(id)
        return actions
    }

    /// How many receipts the store is to be asked for, of a room in memory. What it may not know by then is noted.
    mutating func receiptsToRead(of id: RoomID) -> Int {
        guard rooms[id]?.receipts.isLoaded == false else { return 0 }
        for note in receiptWriter.unstored(id) {
            rooms[id]?.receipts.expect(
                note.user, note.receipt, note.epoch, max: limits.receiptUsersMax, follows: note.follows)
        }
        // One more than are kept tells that there are too many.
        return limits.receiptUsersMax + 1
    }

    /// Takes on what the store has told with a page, and what it didn't know.
    mutating func loadReceipts(_ page: HistoryPage, of id: RoomID) {
        guard let head = rooms[id]?.head, head.epoch == page.head.epoch else { return }
        // Before, so that it is noted as something that the store may not know.
        workInSent(of: id)
        rooms[id]?.receipts.load(page.receipts, head: head, max: limits.receiptUsersMax)
    }

    /// The receipts of a room, as somebody who joins is shown them: none where there are too many.
    mutating func receipts(of id: RoomID) -> [UserReceipt] {
        workInSent(of: id)
        guard let room = rooms[id], room.users.count <= limits.receiptUsersMax else { return [] }
        return rooms[id]?.receipts.list() ?? []
    }

    // MARK: What messages say

    /// A message was stored: its sender has seen all up to it. Called for the first one in a while, for one that is not
    /// just the next one in a room with members, and when much has been noted.
    mutating func sent(
        in id: RoomID, _ position: Position, by sender: UserID, _ advance: Room.Advance, now: MonotonicTime
    ) -> [HubAction] {
        guard let index = rooms.index(forKey: id), case .isNext = advance else {
            return sentUnseen(id, position, by: sender, now: now)
        }
        roomsWithSent.insert(id)
        if rooms.values[index].receipts.isSentFull { workInSent(of: id) }
        return id.name.isDirect
            ? sentUnseen(id, position, by: sender, now: now) : storeReceiptsSoon(now: now)
    }

    /// A message was stored that no member is told of as the next one: in a direct conversation, in a room that isn't
    /// kept in memory, or before its members came. The users of a conversation get a receipt as well: with it, the
    /// conversation is one of theirs.
    mutating func sentUnseen(_ id: RoomID, _ position: Position, by sender: UserID, now: MonotonicTime) -> [HubAction] {
        let max = limits.receiptsWaitingMax
        let receipt = Receipt(seen: position.offset)
        let participants = id.name.participants.map { [$0, $1] }
        // The server API may write into a conversation of others, of which the sender gets no receipt.
        if participants?.contains(sender) ?? true,
            receiptWriter.note(id, position.epoch, sender, receipt, max: max)
        {
            rooms[id]?.receipts.expect(sender, receipt, position.epoch, max: limits.receiptUsersMax, isSent: true)
        }
        for user in participants ?? [] where user != sender {
            _ = receiptWriter.note(id, position.epoch, user, Receipt(), max: max)
        }
        return storeReceiptsSoon(now: now)
    }

    mutating func workInSent(of id: RoomID) {
        guard let index = rooms.index(forKey: id), rooms.values[index].receipts.hasSent else { return }
        guard let epoch = rooms.values[index].head?.epoch else { return }
        let waitingMax = limits.receiptsWaitingMax
        // Beside each other, not one inside the other.
        var writer = ReceiptWriter()
        swap(&writer, &receiptWriter)
        // Who sends while in the room follows it, also when another device has left since it was joined.
        let users = rooms.values[index].users
        rooms.values[index].receipts.takeSent(epoch, max: limits.receiptUsersMax) { user, offset, isFollower in
            let follows: Bool? = isFollower || users[user] == nil ? nil : true
            return writer.note(id, epoch, user, Receipt(seen: offset), follows: follows, max: waitingMax)
        }
        swap(&writer, &receiptWriter)
    }

    // MARK: The store

    /// Has what waits stored after a while, which is counted from the last write's end, so that a room is told of no more
    /// often; at once by a hub that stops.
    mutating func storeReceiptsSoon(now: MonotonicTime) -> [HubAction] {
        guard case .none = drain else { return storeReceipts() }
        guard !receiptWriter.isScheduled, !receiptWriter.isWriting else { return [] }
        receiptWriter.isScheduled = true
        return schedule(.receipts, at: now + limits.receiptDelay)
    }

    mutating func receiptsDue() -> [HubAction] {
        receiptWriter.isScheduled = false
        return storeReceipts()
    }

    mutating func storeReceipts() -> [HubAction] {
        for room in roomsWithSent { workInSent(of: room) }
        roomsWithSent.removeAll(keepingCapacity: true)
        let batch = receiptWriter.nextBatch()
        return batch.isEmpty ? [] : [.storeReceipts(batch)]
    }

    /// The store has answered `.storeReceipts`. What it has is told; what it couldn't store waits for the next try.
    public mutating func receiptsStored(_ result: Result<Void, StoreError>, now: MonotonicTime) -> [HubAction] {
        let isStored = if case .success = result { true } else { false }
        let told = tell(receiptWriter.completed(isStored: isStored))
        guard case .none = drain else {
            // A hub that stops waits for one try.
            if !isStored { receiptWriter.removeAll() }
            return told + storeReceipts() + drainProgress()
        }
        return told + (receiptWriter.isEmpty && roomsWithSent.isEmpty ? [] : storeReceiptsSoon(now: now))
    }

    private mutating func tell(_ stored: [RoomID: ReceiptWriter.Entry]) -> [HubAction] {
        var news: [(room: RoomID, receipts: [UserReceipt])] = []
        for (id, entry) in stored {
            // So that no message is older than a receipt that says less.
            workInSent(of: id)
            guard let index = rooms.index(forKey: id) else { continue }
            let head = rooms.values[index].head
            let receipts = rooms.values[index].receipts.stored(entry.receipts, entry.epoch, head: head)
            if !receipts.isEmpty, rooms.values[index].users.count <= limits.receiptUsersMax {
                news.append((id, receipts))
            }
            forgetIfIdle(id)
        }
        news.sort { ($0.room.tenant.value, $0.room.name.value) < ($1.room.tenant.value, $1.room.name.value) }
        return news.flatMap { deliver(.receipt(room: $0.room.name, $0.receipts), in: $0.room) }
    }

    // MARK: A user's rooms

    public mutating func roomsRequested(_ requester: Requester, _ request: RoomsRequest) -> [HubAction] {
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            return [refuse(requester, .unavailable, "the store is busy", retryAfter: 1000)]
        }
        storeRequestsInFlight += 1
        return [.readRooms(request, requester)]
    }

    /// The store has answered a `.readRooms`.
    public mutating func roomsRead(
        _ requester: Requester, _ result: Result<RoomsPage, StoreError>
    ) -> [HubAction] {
        storeRequestsInFlight -= 1
        switch result {
        case .success(let page): return [reply(.rooms(id: requester.id, page), to: requester)]
        case .failure: return [refuse(requester, .unavailable, "the store can't answer", retryAfter: 1000)]
        }
    }
}
