/// The receipts of direct conversations that the devices of this shard's users were told lately. Nodes tell theirs in
/// any order, and no node has all of them in memory: so a lower one that comes later is dropped here.
struct ToldDirectReceipts: Sendable {
    /// Conversations that are remembered. Of forgotten ones an old receipt could be told again.
    static let conversationsMax = 20_000

    private struct Key: Hashable, Sendable {
        var reader: UserKey
        var room: RoomName
    }

    private struct Told: Sendable {
        var epoch: Epoch?
        var receipts: [UserID: Receipt] = [:]
    }

    private var current: [Key: Told] = [:]
    private var before: [Key: Told] = [:]

    /// Notes receipts that go to all devices of a user.
    ///
    /// - Parameter epoch: `nil` if it isn't known: that of those before.
    /// - Returns: those that say more than what was told before.
    mutating func news(
        _ receipts: [UserReceipt], _ epoch: Epoch?, in room: RoomName, to reader: UserKey
    ) -> [UserReceipt] {
        let key = Key(reader: reader, room: room)
        var told = current[key] ?? before[key] ?? Told()
        if let epoch, told.epoch != epoch { told = Told(epoch: epoch) }
        var news: [UserReceipt] = []
        for var receipt in receipts {
            var known = told.receipts[receipt.user] ?? Receipt()
            guard known.advance(to: receipt.receipt) else { continue }
            told.receipts[receipt.user] = known
            receipt = UserReceipt(user: receipt.user, known)
            news.append(receipt)
        }
        if current[key] == nil, current.count >= Self.conversationsMax / 2 { (before, current) = (current, [:]) }
        current[key] = told
        return news
    }
}
