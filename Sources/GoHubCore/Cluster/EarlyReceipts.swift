/// Receipts of users on other nodes for entries that this node hasn't delivered yet.
///
/// They are right, and only early: cutting them to the head, or dropping them, would leave a sender without the tick
/// until the reader moves on. So they wait until the head has reached them. A receipt is merged with a waiting one by
/// the larger offsets, so order and repeats don't matter.
package struct EarlyReceipts: Sendable {
    private let usersMax: Int
    private var epoch: Epoch?
    private var waiting: [UserID: Receipt] = [:]

    /// - Parameter usersMax: the maximum number of users; receipts of further ones are dropped, and come again with the
    ///   user's next one or with the room's next read.
    package init(usersMax: Int) {
        self.usersMax = usersMax
    }

    package var isEmpty: Bool { waiting.isEmpty }
    package var count: Int { waiting.count }

    /// Splits a receipt into what may be delivered now and what waits.
    ///
    /// - Parameter head: the position up to which members have the room's entries; `nil` while it isn't known.
    /// - Returns: the part up to the head; `nil` for none, also when the receipt is of another epoch.
    package mutating func arrived(_ news: UserReceipt, _ epoch: Epoch, head: Position?) -> UserReceipt? {
        if let head, head.epoch != epoch { return nil }
        if self.epoch != epoch {
            waiting = [:]
            self.epoch = epoch
        }
        let reached = head?.offset ?? 0
        if news.receipt.delivered > reached, waiting[news.user] != nil || waiting.count < usersMax {
            waiting[news.user, default: Receipt()].advance(to: news.receipt)
        }
        let now = news.receipt.limited(to: reached)
        return now == Receipt() ? nil : UserReceipt(user: news.user, now)
    }

    /// Takes the receipts that the head has reached as a whole, ordered by user id.
    ///
    /// Cheap when nothing waits, because it is asked with every entry.
    package mutating func reached(_ head: Position) -> [UserReceipt] {
        guard !waiting.isEmpty else { return [] }
        guard epoch == head.epoch else {
            waiting = [:]
            return []
        }
        var reached: [UserReceipt] = []
        for (user, receipt) in waiting {
            let now = receipt.limited(to: head.offset)
            guard now == receipt else { continue }
            reached.append(UserReceipt(user: user, now))
        }
        for news in reached { waiting[news.user] = nil }
        return reached.sorted { $0.user < $1.user }
    }
}
