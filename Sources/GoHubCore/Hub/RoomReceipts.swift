/// How far a room's users have got, as its owner holds it.
///
/// Receipts come from the store with the first join, and are kept and told while there aren't too many of them. What a
/// message says of its sender is only noted, and worked in when somebody wants to know: most messages then cost no
/// look-up.
struct RoomReceipts: Sendable {
    /// Exits: `unknown` → `known` or `tooMany` by what the store says; `known` → `tooMany` when there are.
    private enum Phase: Sendable {
        case unknown
        case known
        /// They are stored, for unread counts, but neither kept nor told.
        case tooMany
    }

    private var phase = Phase.unknown
    private var receipts: [UserID: Receipt] = [:]
    /// While the store is asked: what it may not have known when it answered, and of which history.
    private var ahead: (epoch: Epoch, receipts: [UserID: Receipt])?
    /// Who has sent what, since it was worked in. One after the other by the same session are one.
    private var sent: [(sender: Member, offset: Offset)] = []
    /// Who is to be told of. Never more than are kept.
    private(set) var untold: Set<UserID> = []
    /// Of a direct conversation: what came before the store has said how far its users had got.
    private(set) var early: [UserID: Receipt] = [:]
    /// The time of the one timer that counts; others are left from an earlier life of the room.
    var timerDue: MonotonicTime?

    /// As many are noted before they must be worked in.
    private static let sentMax = 64

    var isLoaded: Bool { phase != .unknown }
    /// Whether something is left to be told or done, so that the room is still needed.
    var isHeld: Bool { !untold.isEmpty || !early.isEmpty }
    var hasSent: Bool { !sent.isEmpty }
    var isSentFull: Bool { sent.count >= Self.sentMax }

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

    /// Works in what was noted. It isn't told: the messages have told it.
    mutating func takeSent(_ epoch: Epoch, max: Int, _ body: (UserID, Offset) -> Void) {
        for (sender, offset) in sent {
            note(sender.user, Receipt(seen: offset), epoch, max: max)
            _ = advance(sender.user, to: Receipt(seen: offset), max: max, isTold: true)
            body(sender.user, offset)
        }
        sent.removeAll(keepingCapacity: true)
    }

    /// Takes note of what goes into the store while it is asked.
    mutating func note(_ user: UserID, _ receipt: Receipt, _ epoch: Epoch, max: Int) {
        guard phase == .unknown else { return }
        if ahead?.epoch != epoch { ahead = (epoch, [:]) }
        if ahead?.receipts[user]?.advance(to: receipt) != nil { return }
        // One more than are kept, which then tells that there are too many.
        guard let count = ahead?.receipts.count, count <= max else { return }
        ahead?.receipts[user] = receipt
    }

    /// The store has told how far users have got.
    ///
    /// - Parameter head: how far the members have been told, which may be less than is stored.
    mutating func load(_ stored: [UserReceipt], head: Position, max: Int) {
        guard phase == .unknown else { return }
        phase = .known
        let ahead = ahead?.epoch == head.epoch ? ahead?.receipts ?? [:] : [:]
        self.ahead = nil
        for entry in stored + ahead.map({ UserReceipt(user: $0.key, $0.value) }) {
            _ = advance(entry.user, to: entry.receipt.limited(to: head.offset), max: max, isTold: true)
        }
    }

    /// The room's history is another one. What the store is asked for now counts still.
    mutating func startOver() {
        let (early, ahead) = (early, ahead)
        self = RoomReceipts()
        (self.early, self.ahead) = (early, ahead)
    }

    /// - Returns: whether it is news, as far as is known.
    mutating func advance(_ user: UserID, to receipt: Receipt, max: Int, isTold: Bool = false) -> Bool {
        switch phase {
        case .unknown: return false
        case .tooMany: return true
        case .known: break
        }
        if let isNews = receipts[user]?.advance(to: receipt) {
            if isNews, !isTold { untold.insert(user) }
            return isNews
        }
        guard receipts.count < max else {
            (phase, receipts, untold) = (.tooMany, [:], [])
            return true
        }
        receipts[user] = receipt
        if !isTold { untold.insert(user) }
        return true
    }

    mutating func takeUntold() -> [UserReceipt] {
        defer { untold = [] }
        return list(untold)
    }

    /// In the order of the users' ids; none when there are too many.
    var all: [UserReceipt] { list(receipts.keys) }

    private func list(_ users: some Sequence<UserID>) -> [UserReceipt] {
        users.compactMap { user in receipts[user].map { UserReceipt(user: user, $0) } }.sorted { $0.user < $1.user }
    }

    // MARK: Before the store has answered

    /// - Returns: whether it is the first.
    mutating func wait(_ user: UserID, _ receipt: Receipt) -> Bool {
        let isFirst = early.isEmpty
        early[user, default: Receipt()].advance(to: receipt)
        return isFirst
    }

    mutating func takeEarly() -> [UserID: Receipt] {
        defer { early = [:] }
        return early
    }
}
