/// The receipts of a room's users, as its owner holds them.
///
/// Receipts are read from the store at the first join, and are kept and delivered while they aren't too many. Only
/// stored receipts are delivered, so a hub that is killed takes none back. A message's receipt of its sender is only
/// noted, and is applied when it is needed: most messages then need no look-up.
///
/// ```
/// unknown(ahead, early) ── load: the store's answer ──► known ── more users than are kept ──► tooMany
///           ▲                                             │                                      │
///           └────── resync: the history has changed ──────┴──────────────────────────────────────┘
/// ```
///
/// The path of one receipt, while they are known:
///
/// ```
/// a message is stored ─► noteSent ─► takeSent ──────────────────┐ its members know it already
/// a receipt, join or leave ─► expect: `known`, `unannounced` ───┴► ReceiptWriter ─► store ─► stored ─► delivered
/// ```
///
/// - `Entry.known` is what the store will have, `Entry.stored` what it has. Only the latter is delivered, and only if
///   no message of the user has announced more (`Entry.sent`).
/// - `ahead` has the receipts that were being written during the read: the answer may contain them or not, so they are
///   merged into it.
/// - `early` has receipts of users of a direct conversation that arrived before the answer. `load` returns them, and
///   they then take the usual path.
struct RoomReceipts: Sendable {
    private enum Phase: Sendable {
        case unknown(Unknown)
        case known
        /// Receipts are stored, for unread counts, but neither kept nor delivered.
        case tooMany
    }

    /// Receipts that arrived before the store's answer.
    fileprivate struct Unknown: Sendable {
        /// Receipts that the store's answer may not contain, with the epoch of their history.
        var ahead: (epoch: Epoch, entries: [UserID: Entry])?
        /// Receipts of the users of a direct conversation.
        var early: [UserID: Receipt] = [:]
    }

    /// One user's receipt.
    fileprivate struct Entry: Sendable {
        /// The stored receipt, which may be delivered; `nil` before there is one.
        var stored: Receipt?
        /// Includes the receipt being written; never less than `stored`.
        var known: Receipt
        /// The user's newest applied message: whoever has received it knows that the user has seen it.
        var sent: Offset = 0
        /// Whether the user follows the room, as the store has it or will have it; `nil` if unknown.
        var follows: Bool?

        /// Whether there will be something to deliver; a receipt at the beginning isn't delivered.
        var isOnItsWay: Bool { (stored ?? Receipt()) != known }

        mutating func notice(sent offset: Offset) {
            sent = max(sent, offset)
        }

        mutating func store(_ receipt: Receipt) {
            stored = stored ?? Receipt()
            stored?.advance(to: receipt)
            known.advance(to: receipt)
        }
    }

    private var phase = Phase.unknown(Unknown())
    private var entries: [UserID: Entry] = [:]
    /// Senders and offsets of messages since receipts were last applied. Consecutive messages of a session are one.
    private var sent: [(sender: Member, offset: Offset)] = []
    /// Users whose receipts are delivered once they are stored; never more than are kept.
    private var unannounced: Set<UserID> = []
    /// The time since which followers are known; for `Following.refreshInterval`.
    private var followersSince: MonotonicTime?

    /// The number of noted senders after which they must be applied.
    private static let sentMax = 64

    var isLoaded: Bool { if case .unknown = phase { false } else { true } }
    /// Whether an early receipt waits for the store's answer.
    var hasEarly: Bool { if case .unknown(let unknown) = phase { !unknown.early.isEmpty } else { false } }
    /// Whether a receipt waits to be delivered.
    var hasUnannounced: Bool { !unannounced.isEmpty }
    var hasSent: Bool { !sent.isEmpty }
    var isSentFull: Bool { sent.count >= Self.sentMax }

    // MARK: Receipts being stored

    /// Notes a stored message: its sender has seen everything up to it.
    ///
    /// - Returns: whether the notes should be applied: for the first one, and when there are many.
    mutating func noteSent(_ sender: Member, _ offset: Offset) -> Bool {
        let last = sent.count - 1
        guard last >= 0 else {
            sent.append((sender, offset))
            return true
        }
        if sent[last].sender === sender {
            sent[last].offset = offset
            return false
        }
        sent.append((sender, offset))
        return isSentFull
    }

    /// Applies the noted messages.
    ///
    /// - Parameter body: queues the receipt for the store; returns false if it could not.
    mutating func takeSent(_ epoch: Epoch, max: Int, _ body: (UserID, Offset, _ isFollower: Bool) -> Bool) {
        for (sender, offset) in sent {
            entries[sender.user]?.notice(sent: offset)
            guard body(sender.user, offset, entries[sender.user]?.follows == true) else { continue }
            expect(sender.user, Receipt(seen: offset), epoch, max: max, isSent: true, isAnnounced: true)
        }
        sent.removeAll(keepingCapacity: true)
    }

    /// Whether a receipt exceeds the known one.
    func isNews(_ user: UserID, _ receipt: Receipt) -> Bool {
        switch phase {
        case .unknown: return false
        case .tooMany: return true
        case .known:
            guard var known = entries[user]?.known else { return true }
            return known.advance(to: receipt)
        }
    }

    /// Notes that a receipt is being written to the store.
    ///
    /// - Parameters:
    ///   - isSent: whether it comes from a message of the user.
    ///   - isAnnounced: whether that message announces it to all members.
    ///   - follows: whether the user follows the room from now on; `nil` leaves that unchanged.
    mutating func expect(
        _ user: UserID, _ receipt: Receipt, _ epoch: Epoch, max: Int, isSent: Bool = false, isAnnounced: Bool = false,
        follows: Bool? = nil
    ) {
        switch phase {
        case .tooMany: break
        case .unknown: withUnknown { $0.expect(user, receipt, epoch, max: max, follows: follows) }
        case .known:
            // The end of following alone is no reason to keep an entry.
            guard follows != false || entries[user] != nil else { return }
            guard keep(user, Entry(known: Receipt()), max: max) else { return }
            if let follows { entries[user]?.follows = follows }
            entries[user]?.known.advance(to: receipt)
            // A repeated old message has a lower offset than newer ones.
            if isSent { entries[user]?.notice(sent: receipt.seen) }
            if !isAnnounced, entries[user]?.isOnItsWay == true { unannounced.insert(user) }
        }
    }

    /// - Returns: whether the user has an entry now; false when there are too many.
    private mutating func keep(_ user: UserID, _ entry: Entry, max: Int) -> Bool {
        if entries[user] != nil { return true }
        guard entries.count < max else {
            (phase, entries, unannounced) = (.tooMany, [:], [])
            return false
        }
        entries[user] = entry
        return true
    }

    // MARK: Stored receipts

    /// Handles receipts that the store has written.
    ///
    /// - Parameter head: the position up to which events were delivered to the members.
    /// - Returns: the receipts to deliver now, ordered by user id. If a user's messages have announced more, the
    ///   receipt waits until that is stored, too.
    mutating func stored(_ receipts: [UserID: Receipt], _ epoch: Epoch, head: Position?) -> [UserReceipt] {
        guard isLoaded else {
            withUnknown { unknown in
                guard unknown.ahead?.epoch == epoch else { return }
                for (user, receipt) in receipts { unknown.ahead?.entries[user]?.store(receipt) }
            }
            return []
        }
        guard let head, head.epoch == epoch else { return [] }
        var news: [UserReceipt] = []
        for (user, receipt) in receipts {
            entries[user]?.store(receipt.limited(to: head.offset))
            guard unannounced.contains(user), let entry = entries[user], let stored = entry.stored else { continue }
            if stored != Receipt(), entry.sent <= stored.seen { news.append(UserReceipt(user: user, stored)) }
            if !entry.isOnItsWay { unannounced.remove(user) }
        }
        return news.sorted { $0.user < $1.user }
    }

    /// Handles the store's answer with the receipts of all users.
    ///
    /// - Parameter head: the position of the last delivered entry, which may be before the last stored one.
    /// - Returns: the early receipts, to be applied now.
    mutating func load(_ stored: [UserReceipt], head: Position, max: Int) -> [UserID: Receipt] {
        guard case .unknown(let unknown) = phase else { return [:] }
        phase = .known
        merge(stored, unknown.ahead?.epoch == head.epoch ? unknown.ahead?.entries ?? [:] : [:], head: head, max: max)
        return unknown.early
    }

    private mutating func merge(
        _ stored: [UserReceipt], _ ahead: [UserID: Entry], head: Position, max: Int
    ) {
        for read in stored {
            guard keep(read.user, Entry(known: Receipt()), max: max) else { return }
            entries[read.user]?.store(read.receipt.limited(to: head.offset))
            entries[read.user]?.follows = read.isFollower
        }
        for (user, entry) in ahead {
            guard keep(user, Entry(known: Receipt()), max: max) else { return }
            if let stored = entry.stored { entries[user]?.store(stored.limited(to: head.offset)) }
            entries[user]?.known.advance(to: entry.known.limited(to: head.offset))
            // It may be from a message that members have: lower receipts must not be delivered.
            entries[user]?.notice(sent: entry.known.limited(to: head.offset).seen)
            if let follows = entry.follows { entries[user]?.follows = follows }
        }
    }

    /// Merges receipts that were read from the store while they are known here: other hubs have stored some.
    ///
    /// - Returns: the receipts that are news to the members, ordered by user id.
    mutating func refresh(_ read: [UserReceipt], head: Position, max: Int) -> [UserReceipt] {
        var news: [UserReceipt] = []
        for read in read {
            guard case .known = phase, keep(read.user, Entry(known: Receipt()), max: max) else { return [] }
            let before = entries[read.user]?.stored ?? Receipt()
            entries[read.user]?.store(read.receipt.limited(to: head.offset))
            guard let entry = entries[read.user], let stored = entry.stored, stored != before else { continue }
            if entry.sent <= stored.seen { news.append(UserReceipt(user: read.user, stored)) }
            if !entry.isOnItsWay { unannounced.remove(read.user) }
        }
        return news.sorted { $0.user < $1.user }
    }

    /// Whether the store is known to have the user as a follower, so that this need not be stored again.
    mutating func isFollower(_ user: UserID, now: MonotonicTime) -> Bool {
        if followersSince.map({ now.since($0) >= Following.refreshInterval }) ?? false {
            for user in entries.keys { entries[user]?.follows = nil }
            followersSince = nil
        }
        followersSince = followersSince ?? now
        return entries[user]?.follows == true
    }

    /// The stored receipts for a joining user, ordered by user id; none when there are too many. Receipts being written
    /// are delivered once stored, including those that others know from messages. Receipts at the beginning are
    /// omitted.
    mutating func list() -> [UserReceipt] {
        var list: [UserReceipt] = []
        list.reserveCapacity(entries.count)
        for (user, entry) in entries {
            if entry.isOnItsWay { unannounced.insert(user) }
            if let stored = entry.stored, stored != Receipt() { list.append(UserReceipt(user: user, stored)) }
        }
        return list.sorted { $0.user < $1.user }
    }

    /// Resets for another history. Running requests to the store remain valid.
    mutating func resync() {
        let unknown = if case .unknown(let unknown) = phase { unknown } else { Unknown() }
        self = RoomReceipts()
        phase = .unknown(unknown)
    }

    // MARK: Early receipts

    /// Keeps a receipt until the store has answered.
    ///
    /// - Returns: whether it is the first, for which the store must be read.
    mutating func wait(_ user: UserID, _ receipt: Receipt) -> Bool {
        let isFirst = !hasEarly
        withUnknown { $0.early[user, default: Receipt()].advance(to: receipt) }
        return isFirst
    }

    /// Drops early receipts because the store couldn't answer: they count as news when they are repeated.
    mutating func dropEarly() {
        withUnknown { $0.early = [:] }
    }

    private mutating func withUnknown(_ body: (inout Unknown) -> Void) {
        guard case .unknown(var unknown) = phase else { return }
        // Moved out of the phase while it changes, which avoids a copy.
        phase = .known
        body(&unknown)
        phase = .unknown(unknown)
    }
}

extension RoomReceipts.Unknown {
    /// Notes that a receipt is being written to the store, whose answer may not contain it.
    fileprivate mutating func expect(
        _ user: UserID, _ receipt: Receipt, _ epoch: Epoch, max: Int, follows: Bool?
    ) {
        if ahead?.epoch != epoch { ahead = (epoch, [:]) }
        if ahead?.entries[user]?.known.advance(to: receipt) != nil {
            if let follows { ahead?.entries[user]?.follows = follows }
            return
        }
        // One more than are kept, which reveals that there are too many.
        guard let count = ahead?.entries.count, count <= max else { return }
        ahead?.entries[user] = RoomReceipts.Entry(known: receipt, follows: follows)
    }
}
