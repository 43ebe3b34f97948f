/// A room joined is followed by its user until it is left: by a command of the user's, a kick or a ban, not by the end of a
/// connection or of a token. What the store has of it decides which rooms `rooms` lists.
extension HubState {
    /// A user has joined. Where the store is known to have it, as after a reconnect, nothing is written.
    mutating func follow(_ user: UserID, _ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard !id.name.isDirect, let index = rooms.index(forKey: id), let head = rooms.values[index].head,
            !rooms.values[index].receipts.isFollower(user, now: now),
            // What is left out is tried again by the next join.
            receiptWriter.note(id, head.epoch, user, Receipt(), follows: true, max: limits.receiptsWaitingMax)
        else { return }
        rooms.values[index].receipts.expect(user, Receipt(), head.epoch, max: limits.receiptUsersMax, follows: true)
        storeReceiptsSoon(now: now, into: &actions)
    }

    /// A user has left on some device, or was put out.
    mutating func endFollowing(_ user: UserID, _ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        // What the user has sent is from before.
        workInSent(of: id)
        guard !id.name.isDirect, let index = rooms.index(forKey: id), let head = rooms.values[index].head,
            receiptWriter.note(id, head.epoch, user, Receipt(), follows: false, max: limits.receiptsWaitingMax)
        else { return }
        rooms.values[index].receipts.expect(user, Receipt(), head.epoch, max: limits.receiptUsersMax, follows: false)
        storeReceiptsSoon(now: now, into: &actions)
    }
}
