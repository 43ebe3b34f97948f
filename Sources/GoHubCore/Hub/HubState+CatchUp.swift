/// Entries that the store has, or may have, and that members have not received.
///
/// Members receive a room's entries in the order of their offsets. The hub can miss an entry when the store commits it
/// but the answer is lost. The hub then reads the store behind the last delivered entry and delivers the result. It
/// does so
/// - when an entry comes back from the store out of order: it is held until the entries before it are read;
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
    private var held: [StoredMessage] = []
    private var heldBytes = 0

    mutating func doubt(_ key: Key) {
        if keys.count < Self.keysMax { keys.insert(key) }
        looksLeft = Self.looksMax
    }

    /// Holds an entry until those before it are delivered. Entries that do not fit are read from the store.
    mutating func hold(_ entry: StoredMessage, _ limits: Limits) {
        if entry.content.isChange { amendHeld(by: entry) }
        guard held.count < limits.tailMessagesMax, heldBytes < limits.tailBytesMax else { return }
        held.append(entry)
        heldBytes += entry.content.weight
    }

    /// Prevents the delivery of a text that a held change has deleted or replaced.
    private mutating func amendHeld(by change: StoredMessage) {
        held.amend(by: change)
        if let target = change.change?.target, let index = held.firstIndex(where: { $0.offset == target }) {
            held[index] = held[index].amended(by: change)
        }
        heldBytes = held.reduce(0) { $0 + $1.content.weight }
    }

    /// Applies the held changes to entries that were read.
    func amended(_ entries: [StoredMessage]) -> [StoredMessage] {
        var entries = entries
        for entry in held where entry.content.isChange { entries.amend(by: entry) }
        return entries
    }

    /// Takes the held entry that follows an offset. Earlier ones are dropped.
    mutating func takeHeld(after offset: Offset) -> StoredMessage? {
        let next = held.firstIndex { $0.offset > offset } ?? held.endIndex
        for entry in held[..<next] { heldBytes -= entry.content.weight }
        held.removeFirst(next)
        guard let first = held.first, first.offset == offset + 1 else { return nil }
        heldBytes -= first.content.weight
        return held.removeFirst()
    }

    var holdsEntries: Bool { !held.isEmpty }

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
        catchUps[draft.room, default: CatchUp()].doubt(CatchUp.Key(user: draft.from.user, id: draft.id))
        catchUp(draft.room, now: now, into: &actions)
    }

    /// Handles an entry that the store returned ahead of entries that were not delivered.
    mutating func storedAhead(
        _ entry: StoredMessage, in room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        catchUps[room, default: CatchUp()].hold(entry, limits)
        catchUp(room, now: now, into: &actions)
    }

    /// Handles an entry that an attempt with a lost answer stored and that may not have been delivered.
    mutating func repeated(
        _ draft: MessageDraft, at position: Position, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let head = rooms[draft.room]?.head
        if let head, head.epoch != position.epoch { return resync(draft.room, into: &actions) }
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
        guard catchUps[id, default: CatchUp()].beginReading() else { return }
        let (range, messagesMax): (HistoryRange, Int)
        if id.name.isDirect {
            (range, messagesMax) = (.newest, CatchUp.directMessagesMax)
        } else if let head = rooms[id]?.head {
            (range, messagesMax) = (.after(head.offset), limits.pageMessagesMax)
        } else {
            // The room is empty.
            catchUps[id] = nil
            return
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
        catchUp(id, now: now, into: &actions)
    }

    mutating func catchUpRead(
        _ id: RoomID, _ result: Result<HistoryPage, StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let mustReadAgain = catchUps[id]?.endReading() else { return }
        guard case .success(let page) = result else {
            return catchUpLater(id, at: now + Self.catchUpRetry, into: &actions)
        }
        if id.name.isDirect {
            deliver(entriesInDoubtOf: page, id, into: &actions)
        } else if let head = rooms[id]?.head {
            guard head.epoch == page.head.epoch, deliver(page, in: id, now: now, into: &actions) else {
                return resync(id, into: &actions)
            }
            let isBehind = rooms[id]?.head.map { $0.offset < page.head.offset } ?? false
            if isBehind { return catchUp(id, now: now, into: &actions) }
            // Held entries were stored after the page was read, so an even older page can't contain anything new.
            if catchUps[id]?.holdsEntries == true, !mustReadAgain {
                return catchUpLater(id, at: now + Self.catchUpRetry, into: &actions)
            }
        } else {
            catchUps[id] = nil
            return
        }
        if mustReadAgain { return catchUp(id, now: now, into: &actions) }
        if catchUps[id]?.keys.isEmpty == false, let delay = catchUps[id]?.nextLook() {
            return catchUpLater(id, at: now + delay, into: &actions)
        }
        catchUps[id] = nil
    }

    /// - Returns: false when the store can't fill the gap.
    private mutating func deliver(
        _ page: HistoryPage, in id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) -> Bool {
        for entry in catchUps[id]?.amended(page.messages) ?? page.messages {
            guard deliverNext(entry, page.head.epoch, in: id, now: now, into: &actions) else { return false }
        }
        while let head = rooms[id]?.head, let entry = catchUps[id]?.takeHeld(after: head.offset) {
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
