/// How far a room's users have got, as its owner holds it.
///
/// Receipts come from the store with the first join, and are kept and told while there aren't too many of them. Only
/// what the store has is told: a hub that is killed takes nothing back. What a message says of its sender is only
/// noted, and worked in when somebody wants to know: most messages then cost no look-up.
///
/// ```
/// unknown(ahead, early) ── load: a page has come ──► known ── more users than are kept ──► tooMany
///           ▲                                          │                                     │
///           └────────────────── startOver: the history is another one ◄──────────────────────┘
/// ```
///
/// The way of one receipt, while they are known:
///
/// ```
/// a message is stored ─► noteSent ─► takeSent ──────────────────┐ its members know already
/// a user says so, joins or leaves ─► expect: `known`, `untold` ─┴► ReceiptWriter ─► the store ─► stored ─► told
/// ```
///
/// - `Entry.known` is what the store will have, `Entry.stored` what it has. Only the latter is told, and only where no
///   message of the user's has said more (`Entry.sent`).
/// - `ahead` is what was on its way into the store while it was read: the page may have it or not, so it is added to
///   the page.
/// - `early` is what users of a direct conversation said before its page was there. `load` gives it back, and it goes
///   the usual way then.
struct RoomReceipts: Sendable {
    private enum Phase: Sendable {
        case unknown(Unknown)
        case known
        /// They are stored, for unread counts, but neither kept nor told.
        case tooMany
    }

    /// What has come before the store has said how far users have got.
    fileprivate struct Unknown: Sendable {
        /// What the store may not have known when it answered, and of which history.
        var ahead: (epoch: Epoch, entries: [UserID: Entry])?
        /// What the users of a direct conversation have said.
        var early: [UserID: Receipt] = [:]
    }

    /// One user's.
    fileprivate struct Entry: Sendable {
        /// What the store has, and so may be told; `nil` before it has any.
        var stored: Receipt?
        /// With what is on its way there. Never less.
        var known: Receipt
        /// The user's newest message that was worked in: who has got it knows that the user has seen it.
        var sent: Offset = 0
        /// Whether the user follows the room, as the store has it or will have it; `nil` where nothing is known.
        var follows: Bool?

        /// Whether there will be something to tell: one at the beginning says nothing.
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
    /// Who has sent what, since it was worked in. One after the other by the same session are one.
    private var sent: [(sender: Member, offset: Offset)] = []
    /// Who is to be told of once the store has what is on its way. Never more than are kept.
    private var unannounced: Set<UserID> = []
    /// Since when who follows is known; for `Following.refreshInterval`.
    private var followersSince: MonotonicTime?

    /// As many are noted before they must be worked in.
    private static let sentMax = 64

    var isLoaded: Bool { if case .unknown = phase { false } else { true } }
    /// Whether somebody has said how far they have got, for which the store is being read.
    var hasEarly: Bool { if case .unknown(let unknown) = phase { !unknown.early.isEmpty } else { false } }
    /// Whether somebody waits to be told.
    var hasUnannounced: Bool { !unannounced.isEmpty }
    var hasSent: Bool { !sent.isEmpty }
    var isSentFull: Bool { sent.count >= Self.sentMax }

    // MARK: On its way into the store

    /// Notes that a message was stored: its sender has seen all up to it.
    ///
    /// - Returns: whether it is time to see to what was noted: for the first one, and when there are many.
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

    /// Works in what was noted.
    ///
    /// - Parameter body: puts it on its way, told whether the user is known to follow the room; false when it couldn't.
    mutating func takeSent(_ epoch: Epoch, max: Int, _ body: (UserID, Offset, _ isFollower: Bool) -> Bool) {
        for (sender, offset) in sent {
            entries[sender.user]?.notice(sent: offset)
            guard body(sender.user, offset, entries[sender.user]?.follows == true) else { continue }
            expect(sender.user, Receipt(seen: offset), epoch, max: max, isSent: true, isAnnounced: true)
        }
        sent.removeAll(keepingCapacity: true)
    }

    /// Whether it is further than what is known.
    func isNews(_ user: UserID, _ receipt: Receipt) -> Bool {
        switch phase {
        case .unknown: return false
        case .tooMany: return true
        case .known:
            guard var known = entries[user]?.known else { return true }
            return known.advance(to: receipt)
        }
    }

    /// A receipt is on its way into the store.
    ///
    /// - Parameters:
    ///   - isSent: a message says so of its sender.
    ///   - isTold: to all members, by that message.
    ///   - follows: whether the user follows the room from now on; `nil` leaves it as it is.
    mutating func expect(
        _ user: UserID, _ receipt: Receipt, _ epoch: Epoch, max: Int, isSent: Bool = false, isAnnounced: Bool = false,
        follows: Bool? = nil
    ) {
        switch phase {
        case .tooMany: break
        case .unknown: withUnknown { $0.expect(user, receipt, epoch, max: max, follows: follows) }
        case .known:
            // The end of following alone is no reason to be kept.
            guard follows != false || entries[user] != nil else { return }
            guard keep(user, Entry(known: Receipt()), max: max) else { return }
            if let follows { entries[user]?.follows = follows }
            entries[user]?.known.advance(to: receipt)
            // A repeat of an old message says less than newer ones have.
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

    // MARK: What the store has

    /// The store has written receipts.
    ///
    /// - Parameter head: how far the members have been told.
    /// - Returns: what they are to be told now, in the order of the users' ids. Of a user whose messages have told more
    ///   it waits until that is stored, too.
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

    /// The store has told how far users have got.
    ///
    /// - Parameter head: how far the members have been told, which may be less than is stored.
    /// - Returns: what came early, to be worked in now.
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
            // It may be from a message that members have: they are told nothing that says less.
            entries[user]?.notice(sent: entry.known.limited(to: head.offset).seen)
            if let follows = entry.follows { entries[user]?.follows = follows }
        }
    }

    /// Whether the store is known to have the user as a follower, and doesn't need to hear it again.
    mutating func isFollower(_ user: UserID, now: MonotonicTime) -> Bool {
        if followersSince.map({ now.since($0) >= Following.refreshInterval }) ?? false {
            for user in entries.keys { entries[user]?.follows = nil }
            followersSince = nil
        }
        followersSince = followersSince ?? now
        return entries[user]?.follows == true
    }

    /// What the store has, for somebody who joins: in the order of the users' ids; none when there are too many. What
    /// is on its way is told when it is there, also what others know from messages. One at the beginning says nothing,
    /// and isn't told.
    mutating func list() -> [UserReceipt] {
        var list: [UserReceipt] = []
        list.reserveCapacity(entries.count)
        for (user, entry) in entries {
            if entry.isOnItsWay { unannounced.insert(user) }
            if let stored = entry.stored, stored != Receipt() { list.append(UserReceipt(user: user, stored)) }
        }
        return list.sorted { $0.user < $1.user }
    }

    /// The room's history is another one. What the store is asked for now counts still.
    mutating func resync() {
        let unknown = if case .unknown(let unknown) = phase { unknown } else { Unknown() }
        self = RoomReceipts()
        phase = .unknown(unknown)
    }

    // MARK: Before the store has answered

    /// Keeps what a user has said until the store has answered.
    ///
    /// - Returns: whether it is the first, for which the store is to be asked.
    mutating func wait(_ user: UserID, _ receipt: Receipt) -> Bool {
        let isFirst = !hasEarly
        withUnknown { $0.early[user, default: Receipt()].advance(to: receipt) }
        return isFirst
    }

    /// The store couldn't answer: it is news still when it is said again.
    mutating func dropEarly() {
        withUnknown { $0.early = [:] }
    }

    private mutating func withUnknown(_ body: (inout Unknown) -> Void) {
        guard case .unknown(var unknown) = phase else { return }
        // Out of the phase while it changes, so that nothing is copied.
        phase = .known
        body(&unknown)
        phase = .unknown(unknown)
    }
}

extension RoomReceipts.Unknown {
    /// A receipt is on its way into the store, which may answer without it.
    fileprivate mutating func expect(
        _ user: UserID, _ receipt: Receipt, _ epoch: Epoch, max: Int, follows: Bool?
    ) {
        if ahead?.epoch != epoch { ahead = (epoch, [:]) }
        if ahead?.entries[user]?.known.advance(to: receipt) != nil {
            if let follows { ahead?.entries[user]?.follows = follows }
            return
        }
        // One more than are kept, which then tells that there are too many.
        guard let count = ahead?.entries.count, count <= max else { return }
        ahead?.entries[user] = RoomReceipts.Entry(known: receipt, follows: follows)
    }
}
