/// Catching up in direct conversations. They have no members, and no head that is known to have been delivered. Devices
/// ignore entries that they already have.
extension HubState {
    /// The entries to read: those that another hub has stored, or the newest ones, among which are those in doubt.
    mutating func directRange(of id: RoomID) -> (HistoryRange, messagesMax: Int) {
        guard let news = catchUps[id]?.beginReadingNews() else { return (.newest, CatchUp.directMessagesMax) }
        return (.after(news.offsets.lowerBound - 1), limits.pageMessagesMax)
    }

    /// Handles news of entries that another hub has stored. One of the two users has a session here.
    package mutating func directStored(
        _ item: DirectNews.Item, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard catchUps[item.room] != nil || catchUps.count < limits.storeRequestsInFlightMax else {
            // Too many at once: their devices read by themselves.
            for user in item.users { actions.append(.forward(.userRemoved(user, .resyncNeeded))) }
            return
        }
        catchUps[item.room, default: CatchUp(limits, cluster)].add(item)
        catchUp(item.room, now: now, into: &actions)
    }

    /// Delivers the news that a page was read for.
    mutating func deliverNews(_ page: HistoryPage, of id: RoomID, into actions: inout [HubAction]) {
        guard var news = catchUps[id]?.endReadingNews(), news.epoch == page.head.epoch else { return }
        let entries = page.messages.filter { news.offsets.contains($0.offset) }
        for entry in entries {
            deliver(.directMessage(room: id.name, epoch: page.head.epoch, entry), in: id, into: &actions)
        }
        follow(page, of: id)
        guard page.more, let last = entries.last?.offset, last < news.offsets.upperBound else { return }
        news.offsets = (last + 1)...news.offsets.upperBound
        catchUps[id]?.add(news)
    }

    /// Forgets a direct conversation that is behind the store. It has no members who wait for the missing entries. It
    /// was in memory only to save reads.
    mutating func forget(_ id: RoomID) {
        applySentReceipts(of: id)
        rooms[id]?.forgetHistory()
    }

    /// Makes a direct conversation follow a page that is further than this hub.
    mutating func follow(_ page: HistoryPage, of id: RoomID) {
        guard comparison.isOn, id.name.isDirect, let head = rooms[id]?.head, head.epoch == page.head.epoch,
            head.offset < page.head.offset
        else { return }
        forget(id)
        _ = rooms[id]?.adoptHead(page.head)
        // Those that are being written are kept.
        _ = receiptsToRead(of: id)
    }

    mutating func deliver(
        entriesInDoubtOf page: HistoryPage, _ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        for entry in page.messages {
            let key = CatchUp.Key(user: entry.from.user, id: entry.id)
            guard catchUps[id]?.keys.remove(key) != nil else { continue }
            redeliver(entry, page.head.epoch, in: id, into: &actions)
            publishLater(entry, page.head.epoch, of: id)
        }
        publishEntries(now: now, into: &actions)
    }

    /// Handles the store's answer about a repeat in a direct conversation.
    func repeatRead(_ id: RoomID, _ result: Result<HistoryPage, StoreError>, into actions: inout [HubAction]) {
        guard case .success(let page) = result, let entry = page.messages.first else { return }
        redeliver(entry, page.head.epoch, in: id, into: &actions)
    }

    /// Sends an entry to the devices of a direct conversation that may already have it; they ignore it then.
    private func redeliver(
        _ entry: StoredMessage, _ epoch: Epoch, in room: RoomID, into actions: inout [HubAction]
    ) {
        guard entry.amendments?.deleted == nil else { return }
        deliver(.directMessage(room: room.name, epoch: epoch, entry), in: room, into: &actions)
    }
}
