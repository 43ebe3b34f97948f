/// What waits until a room has caught up with the store: joins of clients that may have received more from another hub,
/// and receipts for entries that only another hub has delivered.
extension HubState {
    /// Keeps a receipt for an entry that only another hub has delivered so far. If the store doesn't have the entry,
    /// the receipt is dropped.
    mutating func receiptedAhead(
        _ user: UserID, _ id: RoomID, _ receipt: Receipt, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard comparison.isOn, let head = rooms[id]?.head else { return }
        guard !id.name.isDirect else {
            // A direct conversation is read again for it.
            forget(id)
            return receipted(user, id, receipt, now: now, into: &actions)
        }
        _ = catchUps[id, default: CatchUp(limits, cluster)].receipts
            .arrived(UserReceipt(user: user, receipt), head.epoch, head: head)
        readLater(id, at: now + cluster.settleDelay, into: &actions)
    }

    /// Handles the page of a join that is further than this hub: another one may have stored the rest, and may have
    /// shown it to the client.
    ///
    /// - Returns: whether the join is answered, or waits until the room has caught up.
    mutating func joinedBehind(
        _ join: JoinRequest, _ page: HistoryPage, now: MonotonicTime, into actions: inout [HubAction]
    ) -> Bool {
        heardOf(page.head, in: join.room, readAfter: cluster.settleDelay, now: now, into: &actions)
        guard let head = rooms[join.room]?.head else {
            readForJoin(join, into: &actions)
            return true
        }
        var join = join
        // The page is read again then, and may be further again. The first one counts.
        join.upTo = join.upTo ?? page.head
        guard join.mustWait(for: head) else { return false }
        catchUps[join.room, default: CatchUp(limits, cluster)].joins.append(join)
        catchUp(join.room, now: now, into: &actions)
        return true
    }

    /// Resumes the joins and receipts that have waited for this head.
    mutating func headMoved(of id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let head = rooms[id]?.head, catchUps[id] != nil else { return }
        for news in catchUps[id]?.receipts.reached(head) ?? [] {
            receipted(news.user, id, news.receipt, now: now, into: &actions)
        }
        let received = catchUps[id]?.receivedReceipts.reached(head) ?? []
        if !received.isEmpty { mergeReceipts(received, of: id, into: &actions) }
        guard let joins = catchUps[id]?.joins, !joins.isEmpty else { return }
        catchUps[id]?.joins = joins.filter { $0.mustWait(for: head) }
        for join in joins where !join.mustWait(for: head) { resume(join, into: &actions) }
    }

    /// Reads the page of a join that has waited. The session may have ended since.
    mutating func resume(_ join: JoinRequest, into actions: inout [HubAction]) {
        guard rooms[join.room]?.joining.contains(join.session) == true else { return }
        readForJoin(join, into: &actions)
    }

    mutating func refuseJoinsAhead(of id: RoomID, into actions: inout [HubAction]) {
        for join in catchUps[id]?.joins ?? [] where rooms[id]?.joining.remove(join.session) != nil {
            actions.append(
                refuseJoin(join, .unavailable, "The store is unavailable. Try again shortly.", retryAfter: 1000))
        }
        catchUps[id]?.joins = []
    }
}

extension JoinRequest {
    /// Whether the answer must wait until the hub has delivered more.
    func mustWait(for head: Position) -> Bool {
        upTo.map { $0.epoch == head.epoch && $0.offset > head.offset } ?? false
    }
}
