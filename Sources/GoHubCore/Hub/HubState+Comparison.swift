/// The comparison of a shard's rooms with the store, by which it learns of what other hubs have stored there.
///
/// A round compares every room with members, up to `RoomHead.roomsMax` at a time, and one request after the other. It
/// begins every `pollEvery` while nothing else tells of other hubs' entries, also while this hub seems to be alone: it
/// learns of a new one seconds later. Otherwise a round begins every `compareEvery`. Without a cluster there is none.
///
/// ```
/// clusterChanged, timer ─► round ─► readHeads ─► headsRead ─► a room is behind ─► HubState+CatchUp
///                            ▲                        │     └► other mutes and bans ─► HubState+Access
///                            └── next rooms ◄─────────┘
/// ```
struct HeadComparison: Sendable {
    /// `nil` without a cluster.
    fileprivate(set) var view: ClusterView?
    /// The rooms of this round that are still to be compared.
    fileprivate var waiting: ArraySlice<RoomID> = []
    /// Rooms that this round has left out, because nobody has joined them yet. A page that is being read for a join may
    /// be older than what the round is for.
    fileprivate var leftOut: Set<RoomID> = []
    fileprivate var isReading = false
    fileprivate var roundStart = MonotonicTime(nanoseconds: 0)
    /// The time of the next round, or of the next attempt; timers for other times are stale.
    fileprivate var due: MonotonicTime?

    /// Whether other hubs may write to the database.
    var isOn: Bool { view != nil }
    /// Whether the bus of all nodes tells of their entries; this shard's link to it may be down nevertheless.
    var hasBus: Bool { view?.hasBus == true }
    /// Whether other hubs are known to have clients.
    var hasPeers: Bool { view?.peers.isEmpty == false }
}

extension HubState {
    /// Whether nothing else tells of all that other hubs store.
    var mustPoll: Bool { !(comparison.hasBus && bus.subscriptions.isComplete) }

    private var comparisonInterval: Milliseconds { mustPoll ? cluster.pollEvery : cluster.compareEvery }

    /// Handles what this node knows of the others now.
    package mutating func clusterChanged(
        _ view: ClusterView, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let old = comparison.view
        comparison.view = view
        // A new peer may have written before this node knew of it.
        let isNews = old.map { view.comparisons != $0.comparisons || $0.peers != view.peers } ?? true
        compareLater(at: isNews ? now : comparison.roundStart + comparisonInterval, into: &actions)
        startDirectNews(view, now: now, into: &actions)
        if isNews, old != nil { readDirectNewsLater(at: now, into: &actions) }
        nodesChanged(
            from: old.map { $0.answering.union($0.silent) } ?? [], to: view.answering.union(view.silent), now: now,
            into: &actions)
        if old?.answering != view.answering || old?.silent != view.silent {
            perform(now: now, into: &actions) { claims, _, claimActions in
                claims.peersChanged(answering: view.answering, silent: view.silent, into: &claimActions)
            }
        }
    }

    /// Compares every room with the store now, and reads the list of direct news.
    mutating func compareAll(now: MonotonicTime, into actions: inout [HubAction]) {
        guard comparison.isOn else { return }
        compareLater(at: now, into: &actions)
        readDirectNewsLater(at: now, into: &actions)
    }

    /// Begins the next round when it is due by the interval of now.
    mutating func pollingChanged(now: MonotonicTime, into actions: inout [HubAction]) {
        guard comparison.isOn else { return }
        compareLater(at: max(now, comparison.roundStart + comparisonInterval), into: &actions)
        directPollingChanged(now: now, into: &actions)
    }

    private mutating func compareLater(at due: MonotonicTime, into actions: inout [HubAction]) {
        guard comparison.due.map({ due < $0 }) ?? true else { return }
        comparison.due = due
        schedule(.comparison, at: due, into: &actions)
    }

    mutating func comparisonDue(now: MonotonicTime, into actions: inout [HubAction]) {
        // While a request is in flight, its answer begins the next round.
        guard let due = comparison.due, due <= now, !comparison.isReading else { return }
        comparison.due = nil
        comparison.roundStart = now
        comparison.waiting = rooms.keys.filter { !$0.name.isDirect }[...]
        if !mustPoll { comparison.leftOut = Set(comparison.waiting.filter { rooms[$0]?.members.isEmpty == true }) }
        compareNext(now: now, into: &actions)
    }

    private mutating func compareNext(now: MonotonicTime, into actions: inout [HubAction]) {
        while !comparison.waiting.isEmpty {
            guard storeRequestsInFlight < limits.storeRequestsInFlightMax else {
                return retry(now: now, into: &actions)
            }
            let heads = comparison.waiting.prefix(RoomHead.roomsMax).compactMap { known($0) }
            comparison.waiting = comparison.waiting.dropFirst(RoomHead.roomsMax)
            guard !heads.isEmpty else { continue }
            if !mustPoll { announcePresence(of: heads.map(\.room), now: now, into: &actions) }
            comparison.isReading = true
            storeRequestsInFlight += 1
            return actions.append(.readHeads(heads))
        }
        let next = max(now, comparison.roundStart + comparisonInterval)
        let due = comparison.due ?? next
        comparison.due = nil
        compareLater(at: max(now, min(due, next)), into: &actions)
    }

    /// Compares a room that a round has left out, now that it has members.
    mutating func compareIfLeftOut(_ id: RoomID, now: MonotonicTime, into actions: inout [HubAction]) {
        guard !comparison.leftOut.isEmpty, comparison.leftOut.remove(id) != nil else { return }
        compareLater(at: now, into: &actions)
    }

    private mutating func retry(now: MonotonicTime, into actions: inout [HubAction]) {
        comparison.waiting = []
        comparison.due = nil
        compareLater(at: now + cluster.compareRetry, into: &actions)
    }

    /// What this hub knows of a room; `nil` for a room without members, whose next join reads the store.
    private func known(_ id: RoomID) -> RoomHead? {
        guard let room = rooms[id], let head = room.head, !room.members.isEmpty else { return nil }
        return RoomHead(room: id, position: head, sanctionsVersion: room.sanctions.version)
    }

    /// Handles the store's answer to a `.readHeads`: the rooms that differ.
    package mutating func headsRead(
        _ result: Result<[RoomHead], StoreError>, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        storeRequestsInFlight -= 1
        comparison.isReading = false
        guard case .success(let heads) = result else { return retry(now: now, into: &actions) }
        for stored in heads { differs(stored, now: now, into: &actions) }
        compareNext(now: now, into: &actions)
    }

    private mutating func differs(_ stored: RoomHead, now: MonotonicTime, into actions: inout [HubAction]) {
        compareSanctions(of: stored.room, stored.sanctionsVersion, into: &actions)
        guard let head = rooms[stored.room]?.head else { return }
        if head.epoch == stored.position.epoch {
            heardOf(stored.position, in: stored.room, readAfter: cluster.settleDelay, now: now, into: &actions)
        } else {
            // Which of the two histories is the room's now is decided by the page.
            catchUp(stored.room, now: now, into: &actions)
        }
    }
}
