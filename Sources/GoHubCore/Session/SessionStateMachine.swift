/// One session at the edge: from `hello` to the close.
///
/// It decodes commands, checks limits and permissions, and turns commands into inputs for the owners of rooms and
/// users. It knows neither transport nor hub: both are behind the actions that it requests. Every input is a method
/// that appends actions to the shell's own array, so that a message allocates none.
///
/// The methods are in files by concept: `+Hello`, `+Commands`, `+Joining`, `+Changes`, `+Transfers`, `+HubMessages`,
/// `+Timers`.
package struct SessionStateMachine: Sendable {
    /// Exits: `awaitingHello` → `verifying` by a token, or `registering` with existing credentials → `registering` when
    /// verified → `active` when the hub welcomes → `closed`. Every phase may go to `closed`.
    enum Phase: Sendable {
        /// Has the credentials of the handshake's token, if there was one.
        indirect case awaitingHello(VerifiedCredentials?)
        indirect case verifying(DeviceID)
        case registering(Identity)
        /// `refreshing` is the `refresh` whose token is being verified.
        case active(Identity, refreshing: CommandID?)
        case closed
    }

    /// A room that the session is in or has requested to join, or both: a member may join again, and a requested join
    /// may be answered after a kick, or the session's own `leave`, has ended the membership before it.
    struct JoinedRoom: Sendable {
        var id: RoomID
        var permissions: Permissions
        var bucket: LeakyBucket?
        var isJoined: Bool
        /// One join at a time, so that each gets its own answer.
        var isJoining: Bool
    }

    package let id: SessionID
    let context: SessionContext
    var phase: Phase
    var rooms: [JoinedRoom] = []
    /// Empty, or one element. Nearly every session has none, and copying an empty array costs less than copying the
    /// element's fields.
    private var pendingJoins: [PendingJoins] = []
    /// Uploads over this session, by ascending number.
    var transfers: [Transfer] = []
    var lastTransfer: UInt32 = 0

    // Limits
    let address: String
    var admission: Admission
    /// Commands without a reply yet.
    var commandsInFlight = 0
    /// Commands in flight that are answered with pages: their number, and their ids, which a client may reuse.
    var pageCount = 0
    var pagesInFlight: [CommandID: Int] = [:]
    /// Whether the transport's queue is above its watermark.
    package internal(set) var isBacklogged = false
    var isReadingPaused = false

    var timers: Timers

    /// - Parameters:
    ///   - id: unique among the hub's sessions.
    ///   - context: what all sessions of the hub share.
    ///   - address: the peer's address as counted by limits: IPv4, or the /64 of IPv6.
    ///   - credentials: the verified credentials of the handshake's token.
    ///   - now: the time when the connection was opened.
    ///   - wallTime: the same time, as calendar time.
    package init(
        id: SessionID, context: SessionContext, address: String, credentials: Credentials? = nil,
        now: MonotonicTime, at wallTime: WallTime
    ) {
        self.id = id
        self.context = context
        self.address = address
        admission = Admission(context.limiter, context.limits, address: address, now: now)
        timers = Timers(now: now)
        phase = .awaitingHello(credentials.map { VerifiedCredentials($0, now: now, at: wallTime) })
        if let credentials { admission.authenticated(credentials.userKey, by: context.limiter, now: now) }
    }

    /// The session's id outside of the hub.
    package var clusterID: ClusterSessionID { ClusterSessionID(node: context.incarnation, session: id) }

    package var isClosed: Bool { if case .closed = phase { true } else { false } }
    /// Whether the session was welcomed and has not ended.
    package var isActive: Bool { if case .active = phase { true } else { false } }

    /// The user and permissions of the session, from its registration to its end.
    var identity: Identity? {
        switch phase {
        case .registering(let identity), .active(let identity, _): identity
        case .awaitingHello, .verifying, .closed: nil
        }
    }

    /// Handles a text message from the client.
    ///
    /// The rate limits are checked before any byte of it is decoded.
    package mutating func received(
        _ text: UnsafeRawBufferPointer, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        guard !isClosed else { return }
        noteActivity(now: now)
        let admitted = admission.command(now: now)
        guard case .passed = admitted else { return refuse(admitted, into: &actions) }
        guard !awaitsResync else { return close(.resyncNeeded, into: &actions) }
        do throws(CommandDecoder.Failure) {
            execute(try context.decoder.decode(text), now: now, at: wallTime, into: &actions)
        } catch {
            // Unknown and overlong commands are answered; only malformed ones use the violation budget.
            guard error.code != .badRequest || admission.toleratesMalformed(now: now) else {
                return close(.tooManyViolations, into: &actions)
            }
            actions.append(.send(.error(id: error.id, code: error.code, message: error.message)))
        }
    }

    /// Handles a command of a client in the same process, which needs no decoding.
    package mutating func received(
        _ command: Command, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        guard !isClosed else { return }
        noteActivity(now: now)
        let admitted = admission.command(now: now)
        guard case .passed = admitted else { return refuse(admitted, id: command.id, into: &actions) }
        guard !awaitsResync else { return close(.resyncNeeded, into: &actions) }
        execute(command, now: now, at: wallTime, into: &actions)
    }

    /// Handles a ping or a pong: a sign of life, charged like a command, so that a flood of them has the same end.
    package mutating func receivedControl(now: MonotonicTime, into actions: inout [SessionAction]) {
        guard !isClosed else { return }
        noteActivity(now: now)
        closeFlood(admission.control(now: now), into: &actions)
    }

    /// Handles the answer to a `SessionAction.ask`.
    package mutating func answered(
        _ answer: SessionAnswer, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        switch answer {
        case .verified(let result): verified(result, now: now, at: wallTime, into: &actions)
        case .transferred(let transfer, let answer): transferred(transfer, answer, now: now, into: &actions)
        }
    }

    /// Answers a command that was not admitted.
    mutating func refuse(_ answer: Admission.Answer, id: CommandID? = nil, into actions: inout [SessionAction]) {
        if case .refused(_, let wait) = answer {
            let message = "Too many commands. Slow down."
            return actions.append(.send(.error(id: id, code: .rateLimited, message: message, retryAfter: wait)))
        }
        closeFlood(answer, id: id, into: &actions)
    }

    /// Closes the session if it floods. The last event says when the client may return.
    mutating func closeFlood(_ answer: Admission.Answer, id: CommandID? = nil, into actions: inout [SessionAction]) {
        guard case .flooding(_, let wait) = answer else { return }
        actions.append(.send(.error(id: id, code: .rateLimited, message: "flooding", retryAfter: wait)))
        close(.flooding, into: &actions)
    }

    // MARK: Closing

    /// The transport has closed, or is about to, for a reason of its own.
    package mutating func transportClosed(into actions: inout [SessionAction]) {
        guard !isClosed else { return }
        finish(into: &actions)
    }

    /// Closes the session from the hub's side.
    mutating func close(_ code: CloseCode, into actions: inout [SessionAction]) {
        finish(into: &actions)
        actions.append(.close(code))
    }

    /// Leaves every room and notifies the owner of the user, in this order: each room's owner then clears the session
    /// with the user's owner, which alone knows whether a successor waits.
    private mutating func finish(into actions: inout [SessionAction]) {
        let registered = identity
        phase = .closed
        guard let identity = registered else { return }
        let key = identity.sessionKey
        endTransfers(of: identity, into: &actions)
        for room in rooms {
            if room.isJoined { actions.append(.exit(room.id)) }
            actions.append(.hub(.sessionEnded(id, key, room.id)))
        }
        actions.append(.hub(.disconnected(id, key, rooms: rooms.count)))
        rooms = []
        pendingJoins = []
    }

    // MARK: Backpressure

    /// The transport's queue has overflowed: drops the client.
    package mutating func overflowed(into actions: inout [SessionAction]) {
        guard !isClosed else { return }
        close(.slowConsumer, into: &actions)
    }

    /// - Parameters:
    ///   - isBacklogged: whether the transport's queue is above its watermark.
    ///   - actions: gets the actions to perform.
    package mutating func backlogChanged(_ isBacklogged: Bool, into actions: inout [SessionAction]) {
        self.isBacklogged = isBacklogged
        guard !isClosed else { return }
        startJoins(into: &actions)
        updateReading(into: &actions)
    }

    /// Joins not yet sent to the hub, and commands behind unanswered joins.
    var joining: PendingJoins { pendingJoins.first ?? PendingJoins() }
    var isJoining: Bool { !pendingJoins.isEmpty }

    mutating func withJoining<Result>(_ body: (inout PendingJoins) -> Result) -> Result {
        if pendingJoins.isEmpty { pendingJoins.append(PendingJoins()) }
        defer { if pendingJoins[0].isEmpty { pendingJoins = [] } }
        return body(&pendingJoins[0])
    }

    /// Resumes or pauses reading: reads while neither replies nor bytes accumulate.
    mutating func updateReading(into actions: inout [SessionAction]) {
        let (commandsMax, pagesMax) = (context.limits.commandsInFlightMax, context.limits.pagesInFlightMax)
        var (isFull, commandsWaiting, pageCount) = (isBacklogged, commandsInFlight, pageCount)
        if isJoining {
            if joining.isFull(context.limits) { isFull = true }
            commandsWaiting += joining.heldCount
            pageCount += joining.heldPages
        }
        if isReadingPaused {
            guard !isFull, commandsWaiting <= commandsMax / 2, pageCount <= pagesMax / 2 else { return }
            isReadingPaused = false
            actions.append(.resumeReading)
        } else {
            guard isFull || commandsWaiting >= commandsMax || pageCount >= pagesMax else { return }
            isReadingPaused = true
            actions.append(.pauseReading)
        }
    }
}
