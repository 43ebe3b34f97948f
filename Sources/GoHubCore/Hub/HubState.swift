internal import HeapModule

/// The hub's state, or one shard of it: the only owner of its rooms and users.
///
/// A value without I/O, clock, lock or thread. Every input is a method that takes the time and returns what the shell
/// is to do. A hub of one shard and a hub of one shard a loop run the same code: what concerns a room or a user of
/// another shard leaves as `.forward`.
///
/// The methods stand beside this file by concept: `+Sessions`, `+Rooms`, `+Publishing`, `+CatchUp`, `+Facts`, `+Presence`,
/// `+Receipts`, `+Following`, `+Access`, `+Moderation`, `+Drain`.
public struct HubState: Sendable {
    public let limits: Limits

    var users: [UserKey: [DeviceID: RegisteredSession]] = [:]
    /// Sessions registered here, ending ones included.
    public internal(set) var sessionCount = 0
    var rooms: [RoomID: Room] = [:]
    var storeRequestsInFlight = 0
    /// Rooms of which the store may have what nobody was told.
    var catchUps: [RoomID: CatchUp] = [:]
    var receiptWriter = ReceiptWriter()
    var sanctionWriter = SanctionWriter()
    /// Rooms whose senders' receipts are still to be worked in.
    var roomsWithSent: Set<RoomID> = []
    var drain = Drain.none
    private var timers = Heap<Timer>()

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Dispatches an input that came as a message; each case is the method of its name.
    ///
    /// - Parameter actions: what is to be done is added to it. What comes for every message makes no array of its own.
    public mutating func receive(_ input: HubInput, now: MonotonicTime, into actions: inout [HubAction]) {
        if case .published(let publication) = input { return published(publication, now: now, into: &actions) }
        actions += receiveOther(input, now: now)
    }

    private mutating func receiveOther(_ input: HubInput, now: MonotonicTime) -> [HubAction] {
        switch input {
        case .published: []
        case .connected(let session, let key): connected(session, key, now: now)
        case .disconnected(let session, let key, let rooms): disconnected(session, key, rooms: rooms)
        case .roomCleared(let session, let key): roomCleared(session, key)
        case .userAddressed(let user, let event): userAddressed(user, event)
        case .userRemoved(let user, let code): userRemoved(user, code)
        case .joined(let request): joined(request, now: now)
        case .left(let session, let room, let id): left(session, room, id: id, now: now)
        case .sessionEnded(let session, let key, let room): sessionEnded(session, key, room, now: now)
        case .typed(let member, let room, let active): typed(member, room, active: active, now: now)
        case .historyRequested(let requester, let room, let range, let limit):
            historyRequested(requester, room, range, limit: limit)
        case .membersRequested(let requester, let room): membersRequested(requester, room)
        case .receipted(let user, let room, let receipt): receipted(user, room, receipt, now: now)
        case .roomsRequested(let requester, let request): roomsRequested(requester, request)
        case .sanctioned(let requester, let room, let sanction):
            sanctioned(requester, room, sanction, now: now)
        case .drainStarted(let plan): drainStarted(plan, now: now)
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
    }

    /// Does everything whose time has come.
    public mutating func timerFired(now: MonotonicTime) -> [HubAction] {
        var actions: [HubAction] = []
        while let timer = timers.min, timer.due <= now {
            timers.removeMin()
            switch timer.purpose {
            case .presence(let room): actions += presenceDue(room, due: timer.due, now: now)
            case .receipts: actions += receiptsDue()
            case .catchUp(let room): actions += catchUpDue(room, now: now)
            case .drainStep: actions += drainStepDue(now: now)
            }
        }
        if let next = timers.min { actions.append(.scheduleTimer(next.due)) }
        return actions
    }

    /// Notes a timer, and asks the shell for it when no earlier one is asked for already.
    mutating func schedule(_ purpose: TimerPurpose, at due: MonotonicTime) -> [HubAction] {
        let isEarliest = timers.min.map { due < $0.due } ?? true
        timers.insert(Timer(due: due, purpose: purpose))
        return isEarliest ? [.scheduleTimer(due)] : []
    }

    /// Rooms kept in memory here.
    public var roomCount: Int { rooms.count }

    // MARK: Replies

    func reply(_ event: Event, to requester: Requester) -> HubAction {
        switch requester.origin {
        case .session(let session): .tell(session, .reply(event))
        case .service(let edge, let number): .answer(edge: edge, number, event)
        }
    }

    func refuse(
        _ requester: Requester, _ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil
    ) -> HubAction {
        reply(.error(id: requester.id, code: code, message: message, retryAfter: retryAfter), to: requester)
    }
}
