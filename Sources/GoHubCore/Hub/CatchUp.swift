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
/// the hub looks for the entries in doubt by sender and id (`HubState+DirectCatchUp`).
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
    /// Entries of a direct conversation that another hub has stored.
    private(set) var news: DirectNews.Item?
    /// The part of the news that is being read.
    private(set) var newsInFlight: DirectNews.Item?
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
    /// Receipts of this hub's users for entries that it has not delivered yet.
    var receipts: EarlyReceipts
    /// The same of other hubs' users, which are stored already.
    var receivedReceipts: EarlyReceipts

    init(_ limits: Limits, _ cluster: ClusterLimits) {
        held = HoldBack(entriesMax: cluster.holdEntriesMax, bytesMax: cluster.holdBytesMax)
        receipts = EarlyReceipts(usersMax: limits.receiptUsersMax)
        receivedReceipts = EarlyReceipts(usersMax: limits.receiptUsersMax)
    }

    /// Whether nothing is missing behind a head, and nothing waits.
    func isComplete(at head: Position) -> Bool {
        keys.isEmpty && news == nil && joins.isEmpty && receipts.isEmpty && receivedReceipts.isEmpty && held.isEmpty
            && held.missing(after: head) == nil
    }

    mutating func doubt(_ key: Key) {
        if keys.count < Self.keysMax { keys.insert(key) }
        looksLeft = Self.looksMax
    }

    /// Adds news of a direct conversation. Its devices ignore entries between two news that they already have.
    mutating func add(_ item: DirectNews.Item) {
        guard let known = news, known.epoch == item.epoch else {
            news = item
            return
        }
        let (first, last) = (known.offsets.lowerBound, known.offsets.upperBound)
        news?.offsets = min(first, item.offsets.lowerBound)...max(last, item.offsets.upperBound)
    }

    mutating func beginReadingNews() -> DirectNews.Item? {
        newsInFlight = news
        news = nil
        return newsInFlight
    }

    /// - Returns: the news that was being read.
    mutating func endReadingNews() -> DirectNews.Item? {
        defer { newsInFlight = nil }
        return newsInFlight
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
