/// How a hub learns of the direct messages that other hubs have stored: one of its shards reads the store's list of
/// them (`DirectNews`), every `pollEvery` while no bus tells of them, otherwise every `compareEvery`.
///
/// ```
/// clusterChanged, timer ─► readDirectNews ─► directNewsRead          the shard that reads the list
///                                                  │ for each item
///                                                  ▼
///                                             directNews             the owner of the first user, then of the second
///                                                  │ a user has a session here
///                                                  ▼
///                                             directStored           the owner of the conversation: reads the entries
/// ```
struct DirectNewsReader: Sendable {
    /// The items of a round that are remembered. More of them may be delivered twice, which devices ignore.
    static let itemsMax = 10_000

    /// `nil` in a shard that doesn't read the list.
    fileprivate(set) var cursor: DirectNews.Cursor?
    fileprivate var isReading = false
    fileprivate var roundStart = MonotonicTime(nanoseconds: 0)
    /// The time of the next round; timers for other times are stale.
    fileprivate var due: MonotonicTime?
    /// The items of this round and of the one before: the end of the list is read again, because transactions become
    /// visible in another order than they began.
    private var handled: Set<UInt64> = []
    private var handledBefore: Set<UInt64> = []

    /// - Returns: whether the item is new.
    fileprivate mutating func take(_ item: DirectNews.Item) -> Bool {
        if handled.count < Self.itemsMax { handled.insert(item.number) }
        return !handledBefore.contains(item.number)
    }

    fileprivate mutating func endRound() {
        handledBefore = handled
        handled = []
    }
}

extension HubState {
    private var directNewsInterval: Milliseconds {
        mustPoll ? cluster.pollEvery : cluster.compareEvery
    }

    /// Begins to read the list at the place that a view of the cluster has. Later views only change the interval.
    mutating func startDirectNews(_ view: ClusterView, now: MonotonicTime, into actions: inout [HubAction]) {
        let isFirst = newsReader.cursor == nil
        newsReader.cursor = newsReader.cursor ?? view.directNews
        guard newsReader.cursor != nil else { return }
        readDirectNewsLater(at: isFirst ? now : newsReader.roundStart + directNewsInterval, into: &actions)
    }

    mutating func directPollingChanged(now: MonotonicTime, into actions: inout [HubAction]) {
        readDirectNewsLater(at: max(now, newsReader.roundStart + directNewsInterval), into: &actions)
    }

    mutating func readDirectNewsLater(at due: MonotonicTime, into actions: inout [HubAction]) {
        guard newsReader.cursor != nil, !newsReader.isReading, newsReader.due.map({ due < $0 }) ?? true else { return }
        newsReader.due = due
        schedule(.directNews, at: due, into: &actions)
    }

    mutating func directNewsDue(now: MonotonicTime, into actions: inout [HubAction]) {
        guard let due = newsReader.due, due <= now else { return }
        newsReader.due = nil
        newsReader.roundStart = now
        readDirectNews(now: now, into: &actions)
    }

    private mutating func readDirectNews(now: MonotonicTime, into actions: inout [HubAction]) {
        guard let cursor = newsReader.cursor else { return }
        guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
            return readDirectNewsLater(at: now + cluster.compareRetry, into: &actions)
        }
        newsReader.isReading = true
        storeRequestsInFlight += 1
        actions.append(.readDirectNews(after: cursor))
    }

    /// Handles the store's answer to a `.readDirectNews`.
    package mutating func directNewsRead(
        _ result: Result<DirectNews, StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        storeRequestsInFlight -= 1
        newsReader.isReading = false
        guard case .success(let news) = result else {
            return readDirectNewsLater(at: now + cluster.compareRetry, into: &actions)
        }
        newsReader.cursor = news.cursor
        if news.hasGap { actions.append(.forwardToAll(.directNewsLost)) }
        for item in news.items where newsReader.take(item) {
            guard let user = item.users.first else { continue }
            actions.append(.forward(.directNews(user, item)))
        }
        if news.more { return readDirectNews(now: now, into: &actions) }
        newsReader.endRound()
        readDirectNewsLater(at: max(now, newsReader.roundStart + directNewsInterval), into: &actions)
    }

    // MARK: The users' owners

    /// Handles news for a user. If the user has no session on this hub, asks the owner of the other user.
    package func directNews(_ user: UserKey, _ item: DirectNews.Item, into actions: inout [HubAction]) {
        // What came by the bus isn't read again.
        if !liveSessions(of: user).isEmpty, !bus.directEntries.contain(item, for: user.user) {
            actions.append(.forward(.directStored(item)))
        } else if let other = item.users.last, other != user, user == item.users.first {
            actions.append(.forward(.directNews(other, item)))
        }
    }

    /// Handles the loss of news: every client may have missed direct messages, and finds them when it joins again.
    package func directNewsLost(into actions: inout [HubAction]) {
        let sessions = users.keys.flatMap { liveSessions(of: $0) }
            .sorted { ($0.serial, $0.edge.index) < ($1.serial, $1.edge.index) }
        let delays = resyncDelays(sessions.count)
        for (index, session) in sessions.enumerated() {
            let delay = delays?[index]
            actions.append(.send(session, delay.map { .resync(nil, closeAfter: $0) } ?? .close(.resyncNeeded)))
        }
    }
}

extension DirectNews.Item {
    /// The two users of the conversation; one if both are the same, none of a plain room.
    var users: [UserKey] {
        guard let (first, second) = room.name.participants else { return [] }
        return (first == second ? [first] : [first, second]).map { UserKey(tenant: room.tenant, user: $0) }
    }
}
