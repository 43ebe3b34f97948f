/// Receipts on their way into the store: all changes since the last write form one write, and one write is in flight at
/// a time.
///
/// Failed receipts wait for the next attempt. The state here is ahead of the store.
struct ReceiptWriter: Sendable {
    /// The receipts of one room.
    struct Entry: Sendable {
        var epoch: Epoch
        var receipts: [UserID: Receipt] = [:]
        /// For users with a receipt above: whether they follow the room from now on.
        var follows: [UserID: Bool] = [:]
    }

    /// The maximum number of receipts in one write.
    private static let batchMax = 4096

    private var waiting: [RoomID: Entry] = [:]
    private var inFlight: [RoomID: Entry] = [:]
    private(set) var isWriting = false
    private(set) var count = 0
    private var inFlightCount = 0
    /// Whether a timer is scheduled for the waiting receipts.
    var isScheduled = false

    var isEmpty: Bool { count == 0 && !isWriting }

    /// - Parameters:
    ///   - follows: whether the user follows the room from now on; `nil` leaves it unchanged.
    ///   - max: the maximum number of waiting receipts, including those in flight. Further ones are dropped, which
    ///     loses the user's progress since their last receipt.
    /// - Returns: false when the receipt was dropped.
    mutating func note(
        _ room: RoomID, _ epoch: Epoch, _ user: UserID, _ receipt: Receipt, follows: Bool? = nil, max: Int
    ) -> Bool {
        guard add(room, epoch, user, receipt, max: max) else { return false }
        if let follows { waiting[room]?.follows[user] = follows }
        return true
    }

    private mutating func add(
        _ room: RoomID, _ epoch: Epoch, _ user: UserID, _ receipt: Receipt, max: Int
    ) -> Bool {
        var entry = Entry(epoch: epoch)
        if let index = waiting.index(forKey: room), waiting.values[index].epoch == epoch {
            // Changed in place below if present: a copy would copy the receipts of the whole room.
            if waiting.values[index].receipts[user]?.advance(to: receipt) != nil { return true }
            guard count + inFlightCount < max else { return false }
            waiting.values[index].receipts[user] = receipt
            count += 1
            return true
        }
        // They belong to another epoch, whose history is lost.
        count -= waiting.removeValue(forKey: room)?.receipts.count ?? 0
        guard count + inFlightCount < max else { return false }
        entry.receipts[user] = receipt
        waiting[room] = entry
        count += 1
        return true
    }

    /// The next write; empty while a write is in flight, or when nothing waits.
    mutating func nextBatch() -> [ReceiptNote] {
        guard !isWriting, count > 0 else { return [] }
        isWriting = true
        var batch: [ReceiptNote] = []
        batch.reserveCapacity(min(count, Self.batchMax))
        var (taken, left): ([RoomID: Entry], [RoomID: Entry]) = ([:], [:])
        for (room, entry) in waiting {
            guard batch.count < Self.batchMax else {
                left[room] = entry
                continue
            }
            var (part, rest) = (entry, Entry(epoch: entry.epoch))
            for (user, receipt) in entry.receipts {
                if batch.count < Self.batchMax {
                    batch.append(
                        ReceiptNote(
                            room: room, epoch: entry.epoch, user: user, receipt, follows: entry.follows[user]))
                } else {
                    part.receipts[user] = nil
                    part.follows[user] = nil
                    rest.receipts[user] = receipt
                    rest.follows[user] = entry.follows[user]
                }
            }
            taken[room] = part
            if !rest.receipts.isEmpty { left[room] = rest }
        }
        waiting = left
        count -= batch.count
        (inFlight, inFlightCount) = (taken, batch.count)
        return batch
    }

    /// Handles the result of the write. Failed receipts always fit again, because they stayed counted.
    ///
    /// - Returns: the stored receipts.
    mutating func completed(isStored: Bool) -> [RoomID: Entry] {
        let batch = inFlight
        (isWriting, inFlight, inFlightCount) = (false, [:], 0)
        if isStored { return batch }
        for (room, entry) in batch where waiting[room].map({ $0.epoch == entry.epoch }) ?? true {
            for (user, receipt) in entry.receipts {
                let newer = waiting[room]?.follows[user]
                _ = note(room, entry.epoch, user, receipt, follows: newer ?? entry.follows[user], max: .max)
            }
        }
        return [:]
    }

    /// Drops all waiting receipts.
    mutating func removeAll() {
        waiting = [:]
        count = 0
    }

    func assertInvariants(_ report: (String) -> Void) {
        let waitingCount = waiting.values.reduce(0) { $0 + $1.receipts.count }
        if waitingCount != count { report("\(waitingCount) receipts wait, and \(count) are counted") }
        if !isWriting, inFlightCount != 0 { report("\(inFlightCount) receipts are in no write") }
    }

    /// The receipts of a room that the store may not know yet; of two histories the newer one comes last.
    func unstored(_ room: RoomID) -> [ReceiptNote] {
        [inFlight[room], waiting[room]].compactMap(\.self).flatMap { entry in
            entry.receipts.map {
                ReceiptNote(
                    room: room, epoch: entry.epoch, user: $0.key, $0.value, follows: entry.follows[$0.key])
            }
        }
    }
}
