/// A user follows a joined room until they leave it, by a command, a kick or a ban. The end of a connection or of a
/// token does not end it. The store's record of it decides which rooms `rooms` lists.
extension HubState {
    /// Handles a join. Nothing is written if the store is known to have it, as after a reconnect.
    mutating func follow(_ user: UserID, _ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard !id.name.isDirect, let index = rooms.index(forKey: id), let head = rooms.values[index].head,
            !rooms.values[index].receipts.isFollower(user, now: now),
            // An entry that does not fit is retried by the next join.
            receiptWriter.note(id, head.epoch, user, Receipt(), follows: true, max: limits.receiptsWaitingMax)
        else { return }
        rooms.values[index].receipts.expect(user, Receipt(), head.epoch, max: limits.receiptUsersMax, follows: true)
        storeReceiptsSoon(now: now, into: &actions)
    }

    /// Handles a leave on some device, or a removal.
    mutating func endFollowing(_ user: UserID, _ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        // The user's sent receipts precede the leave.
        applySentReceipts(of: id)
        guard !id.name.isDirect, let index = rooms.index(forKey: id), let head = rooms.values[index].head,
            receiptWriter.note(id, head.epoch, user, Receipt(), follows: false, max: limits.receiptsWaitingMax)
        else { return }
        rooms.values[index].receipts.expect(user, Receipt(), head.epoch, max: limits.receiptUsersMax, follows: false)
        storeReceiptsSoon(now: now, into: &actions)
    }
}
