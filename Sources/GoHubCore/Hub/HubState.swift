internal import HeapModule

/// The hub's state, or one shard of it: the only owner of its rooms and users.
///
/// A value without I/O, clock, lock or thread. Every input is a method that takes the time and appends the shell's
/// actions to the shell's own array, so that a message allocates none. A hub of one shard and a hub of one shard per
/// loop run the same code: inputs for rooms and users of other shards leave as `.forward`.
///
/// The methods are in files by concept: `+Sessions`, `+Rooms`, `+Publishing`, `+CatchUp`, `+Comparison`, `+DirectNews`,
/// `+Bus`, `+Changes`, `+Presence`, `+Receipts`, `+Following`, `+Access`, `+Moderation`, `+Drain`.
package struct HubState: Sendable {
    package let limits: Limits
    let cluster: ClusterLimits

    var users: [UserKey: [DeviceID: RegisteredSession]] = [:]
    /// Sessions registered here, including ending ones.
    package internal(set) var sessionCount = 0
    var rooms: [RoomID: Room] = [:]
    var storeRequestsInFlight = 0
    /// Rooms whose store may have undelivered entries.
    var catchUps: [RoomID: CatchUp] = [:]
    var holdBudget: HoldBudget
    var comparison = HeadComparison()
    var newsReader = DirectNewsReader()
    var bus = BusLink()
    /// `nil` without a bus.
    var claims: SessionClaims?
    var receiptWriter = ReceiptWriter()
    var sanctionWriter = SanctionWriter()
    /// Rooms whose senders' batched receipts are not applied yet.
    var roomsWithSent: Set<RoomID> = []
    var drain = Drain.none
    private var timers = Heap<Timer>()

    /// - Parameter node: the node in its cluster; `nil` for a hub that has no bus.
    package init(
        limits: Limits = Limits(), cluster: ClusterLimits = ClusterLimits(), node: NodeIncarnation? = nil
    ) {
        self.limits = limits
        self.cluster = cluster
        claims = node.map { SessionClaims(own: $0, limits: cluster, sessionsPerUserMax: limits.sessionsPerUserMax) }
        holdBudget = HoldBudget(entriesMax: cluster.holdShardEntriesMax, bytesMax: cluster.holdShardBytesMax)
    }

    /// Dispatches an input that came as a message; each case calls the method of its name.
    package mutating func receive(_ input: HubInput, now: MonotonicTime, into actions: inout [HubAction]) {
        switch input {
        case .published(let appendRequest): published(appendRequest, now: now, into: &actions)
        case .connected(let session, let key): connected(session, key, now: now, into: &actions)
        case .disconnected(let session, let key, let rooms):
            disconnected(session, key, rooms: rooms, now: now, into: &actions)
        case .roomCleared(let session, let key): roomCleared(session, key, now: now, into: &actions)
        case .userAddressed(let user, let event): userAddressed(user, event, into: &actions)
        case .conversationJoined(let session, let user, let joined):
            conversationJoined(session, user, joined, into: &actions)
        case .userRemoved(let user, let code): userRemoved(user, code, into: &actions)
        case .joined(let request): joined(request, now: now, into: &actions)
        case .left(let session, let room, let id): left(session, room, id: id, now: now, into: &actions)
        case .sessionEnded(let session, let key, let room): sessionEnded(session, key, room, now: now, into: &actions)
        case .typed(let member, let room, let active): typed(member, room, active: active, now: now, into: &actions)
        case .historyRequested(let requester, let room, let range, let limit):
            historyRequested(requester, room, range, limit: limit, into: &actions)
        case .membersRequested(let requester, let room): membersRequested(requester, room, into: &actions)
        case .receipted(let user, let room, let receipt): receipted(user, room, receipt, now: now, into: &actions)
        case .roomsRequested(let requester, let request): roomsRequested(requester, request, into: &actions)
        case .sanctioned(let requester, let room, let sanction):
            sanctioned(requester, room, sanction, now: now, into: &actions)
        case .drainStarted(let plan): drainStarted(plan, now: now, into: &actions)
        case .clusterChanged(let view): clusterChanged(view, now: now, into: &actions)
        case .directNews(let user, let item): directNews(user, item, into: &actions)
        case .received(let frame): received(frame, now: now, into: &actions)
        case .subscribed(let topic): subscribed(topic, now: now, into: &actions)
        case .directReceived(let room, let position): directReceived(room, position)
        case .busRestored(let wall): busRestored(at: wall, now: now, into: &actions)
        case .busLost: busLost(now: now, into: &actions)
        case .busPublished(let number, let receivers):
            published(number, receivers: receivers, now: now, into: &actions)
        case .idleMeasured(let session, let idle, let purpose):
            idleMeasured(session, idle, purpose, now: now, into: &actions)
        case .directStored(let item): directStored(item, now: now, into: &actions)
        case .directNewsLost: directNewsLost(into: &actions)
        }
    }

    // MARK: Timers

    private struct Timer: Comparable, Sendable {
        let due: MonotonicTime
        let purpose: TimerPurpose

        static func < (left: Timer, right: Timer) -> Bool { left.due < right.due }
        static func == (left: Timer, right: Timer) -> Bool { left.due == right.due }
    }

    enum TimerPurpose: Sendable {
        case presence(RoomID)
        case receipts
        case catchUp(RoomID)
        case drainStep
        case comparison
        case directNews
        case claims
        case clusterPresence(RoomID)
        case othersPresence(RoomID)
    }

    /// Performs everything that is due.
    package mutating func timerFired(now: MonotonicTime, into actions: inout [HubAction]) {
        while let timer = timers.min, timer.due <= now {
            timers.removeMin()
            switch timer.purpose {
            case .presence(let room): presenceDue(room, due: timer.due, now: now, into: &actions)
            case .receipts: receiptsDue(into: &actions)
            case .catchUp(let room): catchUpDue(room, now: now, into: &actions)
            case .drainStep: drainStepDue(now: now, into: &actions)
            case .comparison: comparisonDue(now: now, into: &actions)
            case .directNews: directNewsDue(now: now, into: &actions)
            case .claims: claimsDue(now: now, into: &actions)
            case .clusterPresence(let room): clusterPresenceDue(room, now: now, into: &actions)
            case .othersPresence(let room): othersPresenceDue(room, due: timer.due, now: now, into: &actions)
            }
        }
        if let next = timers.min { actions.append(.scheduleTimer(next.due)) }
    }

    /// Records a timer, and requests it from the shell unless an earlier one is already requested.
    mutating func schedule(_ purpose: TimerPurpose, at due: MonotonicTime, into actions: inout [HubAction]) {
        let isEarliest = timers.min.map { due < $0.due } ?? true
        timers.insert(Timer(due: due, purpose: purpose))
        if isEarliest { actions.append(.scheduleTimer(due)) }
    }

    /// Rooms in memory.
    package var roomCount: Int { rooms.count }

    // MARK: Replies

    func reply(_ event: Event, to requester: Requester) -> HubAction {
        switch requester.origin {
        case .session(let session): .send(session, .reply(event))
        case .service(let edge, let number): .answer(edge: edge, number, event)
        }
    }

    func refuse(
        _ requester: Requester, _ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil
    ) -> HubAction {
        reply(.error(id: requester.id, code: code, message: message, retryAfter: retryAfter), to: requester)
    }
}
