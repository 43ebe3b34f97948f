/// Entries that the store has, or may have, and that members have not received.
///
/// Members receive a room's entries in the order of their offsets. The hub can miss an entry when the store commits it
/// but the answer is lost. The hub then reads the store behind the last delivered entry and delivers the result. It
/// does so
/// - when an entry comes back from the store out of order, because another hub has stored the one before it: it is held
///   until the entries before it are read;
/// - when a comparison with the store (`HubState+Comparison`) shows entries of other hubs;
/// - when a repeated command turns out to be stored but was not delivered;
/// - after an unknown outcome: immediately, and then for a minute, because a server that hangs may commit later.
///
/// A direct conversation has no members and no known head. Its devices ignore entries that they already have, so there
/// the hub looks for the entries in doubt by sender and id.
struct CatchUp: Sendable {
    /// Identifies an entry with an unknown outcome.
    struct Key: Hashable, Sendable {
        var user: UserID
        var id: CommandID
    }

    /// The maximum number of entries in doubt that are looked up by key. Further ones are still found: in a room by
    /// reading, in a direct conversation when they are repeated.
    static let keysMax = 64
    /// Reads after an unknown outcome: after 0, 0.25, 0.75, … 63.75 s.
    private static let looksMax = 9
    private static let firstDelay: Milliseconds = 250
    /// The number of entries of a direct conversation among which entries in doubt are looked up.
    static let directMessagesMax = 100

    var keys: Set<Key> = []
    private(set) var isReading = false
    /// Whether an event arrived that the current read may have missed.
    private var mustReadAgain = false
    /// The time of the next read; `nil` while none is planned. Timers for other times are stale.
    var due: MonotonicTime?
    /// The remaining reads while `keys` are in doubt.
    private var looksLeft = 0
    /// Entries that were stored after missing ones, and the newest position that is known to exist.
    var held: HoldBack
    /// Joins that wait until the room has caught up with what their clients may have received from another hub.
    var joins: [JoinRequest] = []
    /// Receipts for entries that this hub has not delivered yet.
    var receipts: EarlyReceipts

    init(_ limits: Limits, _ cluster: ClusterLimits) {
        held = HoldBack(entriesMax: cluster.holdEntriesMax, bytesMax: cluster.holdBytesMax)
        receipts = EarlyReceipts(usersMax: limits.receiptUsersMax)
    }

    /// Whether nothing is missing behind a head, and nothing waits.
    func isComplete(at head: Position) -> Bool {
        keys.isEmpty && joins.isEmpty && receipts.isEmpty && held.isEmpty && held.missing(after: head) == nil
    }

    mutating func doubt(_ key: Key) {
        if keys.count < Self.keysMax { keys.insert(key) }
        looksLeft = Self.looksMax
    }

    /// - Returns: false when a read is in progress; another one will follow it.
    mutating func beginReading() -> Bool {
        mustReadAgain = isReading
        defer { isReading = true }
        return !isReading
    }

    /// - Returns: whether another read is needed because of events during this one.
    mutating func endReading() -> Bool {
        isReading = false
        defer { mustReadAgain = false }
        return mustReadAgain
    }

    /// The delay until the next look for entries in doubt; `nil` when there is none.
    mutating func nextLook() -> Milliseconds? {
        guard looksLeft > 1 else { return nil }
        looksLeft -= 1
        return Milliseconds(Self.firstDelay.value << UInt64(Self.looksMax - 1 - looksLeft))
    }
}

extension HubState {
    /// The delay after a failed read.
    private static let catchUpRetry: Milliseconds = 1000

    /// Handles an append whose outcome is unknown.
    mutating func outcomeUnknown(of draft: MessageDraft, now: MonotonicTime, into actions: inout [HubAction]) {
        // The room has no members, and whoever joins reads the store.
        guard draft.room.name.isDirect || rooms[draft.room]?.head != nil else { return }
        guard catchUps[draft.room] != nil || catchUps.count < limits.storeRequestsInFlightMax else { return }
        catchUps[draft.room, default: CatchUp(limits, cluster)].doubt(CatchUp.Key(user: draft.from.user, id: draft.id))
        catchUp(draft.room, now: now, into: &actions)
    }

    /// Handles an entry that the store returned ahead of entries that were not delivered.
    mutating func storedAhead(
        _ entry: StoredMessage, in room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let head = rooms[room]?.head else { return }
        // An entry that doesn't fit is read from the store with the missing ones.
        _ = catchUps[room, default: CatchUp(limits, cluster)].held
            .arrived(entry, head.epoch, head: head, budget: &holdBudget)
        catchUp(room, now: now, into: &actions)
    }

    /// Handles the news that the store has entries up to a position, without the entries.
    ///
    /// - Parameter delay: the time for this hub's own appends to be answered, before the store is read.
    mutating func heardOf(
        _ position: Position, in id: RoomID, readAfter delay: Milliseconds, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        guard let head = rooms[id]?.head, head.epoch == position.epoch, head.offset < position.offset else { return }
        // Clients recover more cheaply from so far behind than all their messages could be delivered one by one.
        guard position.offset - head.offset <= cluster.lagEntriesMax else {
            return resync(id, now: now, into: &actions)
        }
        _ = catchUps[id, default: CatchUp(limits, cluster)].held.heardOf(position, head: head)
        readLater(id, at: now + delay, into: &actions)
    }

    /// Reads the room at that time at the latest. A read that is in progress may miss what exists now.
    private mutating func readLater(_ id: RoomID, at due: MonotonicTime, into actions: inout [HubAction]) {
        guard let planned = catchUps[id] else { return }
        if planned.isReading {
            _ = catchUps[id]?.beginReading()
        } else if planned.due.map({ due < $0 }) ?? true {
            catchUpLater(id, at: due, into: &actions)
        }
    }

    /// Keeps a receipt for an entry that only another hub has delivered so far. If the store doesn't have the entry,
    /// the receipt is dropped.
    mutating func receiptedAhead(
        _ user: UserID, _ id: RoomID, _ receipt: Receipt, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard comparison.isOn, let head = rooms[id]?.head else { return }
        guard !id.name.isDirect else {
            // A direct conversation is read again for it.
            forget(id)
            return receipted(user, id, receipt, now: now, into: &actions)
        }
        _ = catchUps[id, default: CatchUp(limits, cluster)].receipts
            .arrived(UserReceipt(user: user, receipt), head.epoch, head: head)
        readLater(id, at: now + cluster.settleDelay, into: &actions)
    }

    /// Forgets what is known of a direct conversation that is behind the store. It has no members who would be owed
    /// what is between, and is kept in memory only to save reads.
    private mutating func forget(_ id: RoomID) {
        applySentReceipts(of: id)
        rooms[id]?.forgetHistory()
    }

    /// Makes a direct conversation follow a page that is further than this hub.
    mutating func follow(_ page: HistoryPage, of id: RoomID) {
        guard comparison.isOn, id.name.isDirect, let head = rooms[id]?.head, head.epoch == page.head.epoch,
            head.offset < page.head.offset
        else { return }
        forget(id)
        _ = rooms[id]?.adoptHead(page.head)
        // Those that are being written are kept.
        _ = receiptsToRead(of: id)
    }

    /// Handles the page of a join that is further than this hub: another one may have stored the rest, and may have
    /// shown it to the client.
    ///
    /// - Returns: whether the join is answered, or waits until the room has caught up.
    mutating func joinedBehind(
        _ join: JoinRequest, _ page: HistoryPage, now: MonotonicTime, into actions: inout [HubAction]
    ) -> Bool {
        heardOf(page.head, in: join.room, readAfter: cluster.settleDelay, now: now, into: &actions)
        guard let head = rooms[join.room]?.head else {
            readForJoin(join, into: &actions)
            return true
        }
        var join = join
        // The page is read again then, and may be further again. The first one counts.
        join.upTo = join.upTo ?? page.head
        guard join.mustWait(for: head) else { return false }
        catchUps[join.room, default: CatchUp(limits, cluster)].joins.append(join)
        catchUp(join.room, now: now, into: &actions)
        return true
    }

    /// Performs what has waited for the head.
    private mutating func headMoved(of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let head = rooms[id]?.head, catchUps[id] != nil else { return }
        for news in catchUps[id]?.receipts.reached(head) ?? [] {
            receipted(news.user, id, news.receipt, now: now, into: &actions)
        }
        guard let joins = catchUps[id]?.joins, !joins.isEmpty else { return }
        catchUps[id]?.joins = joins.filter { $0.mustWait(for: head) }
        for join in joins where !join.mustWait(for: head) { resume(join, into: &actions) }
    }

    /// Ends the catching up, because it is complete, or because the room is gone or has another history.
    mutating func endCatchUp(_ id: RoomID, into actions: inout [HubAction]) {
        let joins = catchUps[id]?.joins ?? []
        catchUps[id]?.held.removeAll(budget: &holdBudget)
        catchUps[id] = nil
        for join in joins { resume(join, into: &actions) }
    }

    /// Reads the page of a join that has waited. The session may have ended since.
    private mutating func resume(_ join: JoinRequest, into actions: inout [HubAction]) {
        guard rooms[join.room]?.joining.contains(join.session) == true else { return }
        readForJoin(join, into: &actions)
    }

    /// Handles an entry that an attempt with a lost answer stored and that may not have been delivered.
    mutating func repeated(
        _ draft: MessageDraft, at position: Position, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let head = rooms[draft.room]?.head
        if let head, head.epoch != position.epoch { return resync(draft.room, now: now, into: &actions) }
        if draft.room.name.isDirect {
            guard storeRequestsInFlight < limits.storeRequestsInFlightMax, position.offset > 0 else { return }
            storeRequestsInFlight += 1
            let read = HistoryRequest(
                room: draft.room, range: .after(position.offset - 1), messagesMax: 1, bytesMax: limits.pageBytesMax)
            return actions.append(.read(read, .repeated))
        }
        guard let head, head.offset < position.offset else { return }
        catchUp(draft.room, now: now, into: &actions)
    }

    /// Reads the undelivered entries. If a read is in progress, another one will follow it.
    mutating func catchUp(_ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard catchUps[id, default: CatchUp(limits, cluster)].beginReading() else { return }
        let (range, messagesMax): (HistoryRange, Int)
        if id.name.isDirect {
            (range, messagesMax) = (.newest, CatchUp.directMessagesMax)
        } else if let head = rooms[id]?.head {
            (range, messagesMax) = (.after(head.offset), limits.pageMessagesMax)
        } else {
            // The room is empty.
            return endCatchUp(id, into: &actions)
        }
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            _ = catchUps[id]?.endReading()
            return catchUpLater(id, at: now + Self.catchUpRetry, into: &actions)
        }
        catchUps[id]?.due = nil
        storeRequestsInFlight += 1
        let read = HistoryRequest(
            room: id, range: range, messagesMax: min(messagesMax, limits.pageMessagesMax), bytesMax: limits.pageBytesMax
        )
        actions.append(.read(read, .catchUp))
    }

    private mutating func catchUpLater(_ id: RoomID, at due: MonotonicTime, into actions: inout [HubAction]) {
        catchUps[id]?.due = due
        schedule(.catchUp(id), at: due, into: &actions)
    }

    mutating func catchUpDue(_ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let due = catchUps[id]?.due, due <= now else { return }
        // Whatever another hub was suspected of may have been this hub's own, and is delivered by now.
        if let head = rooms[id]?.head, catchUps[id]?.isComplete(at: head) == true {
            return endCatchUp(id, into: &actions)
        }
        catchUp(id, now: now, into: &actions)
    }

    mutating func catchUpRead(
        _ id: RoomID, _ result: Result<HistoryPage, StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let mustReadAgain = catchUps[id]?.endReading() else { return }
        guard case .success(let page) = result else {
            refuseJoinsAhead(of: id, into: &actions)
            return catchUpLater(id, at: now + Self.catchUpRetry, into: &actions)
        }
        if id.name.isDirect {
            deliver(entriesInDoubtOf: page, id, into: &actions)
        } else if let head = rooms[id]?.head {
            guard head.epoch == page.head.epoch, deliver(page, in: id, now: now, into: &actions) else {
                return resync(id, now: now, into: &actions)
            }
            headMoved(of: id, now: now, into: &actions)
            guard let head = rooms[id]?.head, let held = catchUps[id]?.held else { return }
            if head.offset < page.head.offset { return catchUp(id, now: now, into: &actions) }
            // What is known to be missing was stored after the page was read.
            if held.missing(after: head) != nil, !mustReadAgain {
                return catchUpLater(id, at: now + Self.catchUpRetry, into: &actions)
            }
        } else {
            return endCatchUp(id, into: &actions)
        }
        if mustReadAgain { return catchUp(id, now: now, into: &actions) }
        if catchUps[id]?.keys.isEmpty == false, let delay = catchUps[id]?.nextLook() {
            return catchUpLater(id, at: now + delay, into: &actions)
        }
        endCatchUp(id, into: &actions)
    }

    private mutating func refuseJoinsAhead(of id: RoomID, into actions: inout [HubAction]) {
        for join in catchUps[id]?.joins ?? [] where rooms[id]?.joining.remove(join.session) != nil {
            actions.append(
                refuseJoin(join, .unavailable, "The store is unavailable. Try again shortly.", retryAfter: 1000))
        }
        catchUps[id]?.joins = []
    }

    /// - Returns: false when the store can't fill the gap.
    private mutating func deliver(
        _ page: HistoryPage, in id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) -> Bool {
        for entry in catchUps[id]?.held.amended(page.messages) ?? page.messages {
            guard deliverNext(entry, page.head.epoch, in: id, now: now, into: &actions) else { return false }
        }
        while let head = rooms[id]?.head, let entry = catchUps[id]?.held.takeNext(after: head, budget: &holdBudget) {
            guard deliverNext(entry, head.epoch, in: id, now: now, into: &actions) else { return false }
        }
        // Prevents an endless loop over a page that makes no progress although there is more.
        return !page.messages.isEmpty || (rooms[id]?.head).map { $0.offset >= page.head.offset } ?? true
    }

    private mutating func deliverNext(
        _ entry: StoredMessage, _ epoch: Epoch, in id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) -> Bool {
        catchUps[id]?.keys.remove(CatchUp.Key(user: entry.from.user, id: entry.id))
        let advance = deliver(entry, epoch, of: id, into: &actions)
        switch advance {
        case .alreadyCovered: return true
        case .next: break
        case .ahead, .otherEpoch: return false
        }
        if advance.mustFlushReceipt, entry.change == nil {
            let position = Position(epoch: epoch, offset: entry.offset)
            sent(in: id, position, by: entry.from.user, advance, now: now, into: &actions)
        }
        return true
    }

    private mutating func deliver(
        entriesInDoubtOf page: HistoryPage, _ id: RoomID, into actions: inout [HubAction]
    ) {
        for entry in page.messages {
            let key = CatchUp.Key(user: entry.from.user, id: entry.id)
            guard catchUps[id]?.keys.remove(key) != nil else { continue }
            redeliver(entry, page.head.epoch, in: id, into: &actions)
        }
    }

    /// Handles the store's answer about a repeat in a direct conversation.
    func repeatRead(_ id: RoomID, _ result: Result<HistoryPage, StoreError>, into actions: inout [HubAction]) {
        guard case .success(let page) = result, let entry = page.messages.first else { return }
        redeliver(entry, page.head.epoch, in: id, into: &actions)
    }

    /// Sends an entry to the devices of a direct conversation that may already have it; they ignore it then.
    private func redeliver(
        _ entry: StoredMessage, _ epoch: Epoch, in room: RoomID, into actions: inout [HubAction]
    ) {
        guard entry.amendments?.deleted == nil else { return }
        deliver(.directMessage(room: room.name, epoch: epoch, entry), in: room, into: &actions)
    }
}

extension JoinRequest {
    /// Whether the answer must wait until the hub has delivered more.
    func mustWait(for head: Position) -> Bool {
        upTo.map { $0.epoch == head.epoch && $0.offset > head.offset } ?? false
    }
}
