/// The entries of direct conversations that came by the bus lately. The store's list has them, too (`DirectNews`), and
/// is read for those that the bus has lost: only they are read from the store again.
struct ReceivedDirectEntries: Sendable {
    /// Conversations of one interval. Of further ones the entries are read again, and devices ignore them.
    static let conversationsMax = 20_000
    /// Ranges of offsets of a conversation. With one node that writes there is one.
    private static let rangesMax = 8

    fileprivate struct Key: Hashable, Sendable {
        var user: UserID
        var room: RoomID
    }

    fileprivate struct Ranges: Sendable {
        var epoch: Epoch
        var offsets: [ClosedRange<Offset>] = []
    }

    private var current: [Key: Ranges] = [:]
    private var before: [Key: Ranges] = [:]
    private var since = MonotonicTime(nanoseconds: 0)

    /// - Parameter user: the user to whose topic they were published.
    mutating func note(
        _ batch: RoomEntries, in room: RoomID, for user: UserID, now: MonotonicTime, limits: ClusterLimits
    ) {
        let key = Key(user: user, room: room)
        if now.since(since) >= limits.compareEvery {
            (before, current, since) = (current, [:], now)
        }
        guard current[key] != nil || current.count < Self.conversationsMax else { return }
        if current[key]?.epoch != batch.epoch { current[key] = Ranges(epoch: batch.epoch) }
        for entry in batch.entries { current[key]?.add(entry.offset, max: Self.rangesMax) }
    }

    /// Whether all entries of an item have come by the bus for the user.
    func contain(_ item: DirectNews.Item, for user: UserID) -> Bool {
        let key = Key(user: user, room: item.room)
        return current[key]?.contain(item) == true || before[key]?.contain(item) == true
    }
}

extension ReceivedDirectEntries.Ranges {
    fileprivate mutating func add(_ offset: Offset, max: Int) {
        guard !offsets.contains(where: { $0.contains(offset) }) else { return }
        if let index = offsets.firstIndex(where: { offset > 0 && $0.upperBound == offset - 1 }) {
            offsets[index] = offsets[index].lowerBound...offset
        } else if offsets.count < max {
            offsets.append(offset...offset)
        }
    }

    fileprivate func contain(_ item: DirectNews.Item) -> Bool {
        epoch == item.epoch
            && offsets.contains { $0.lowerBound <= item.offsets.lowerBound && item.offsets.upperBound <= $0.upperBound }
    }
}
