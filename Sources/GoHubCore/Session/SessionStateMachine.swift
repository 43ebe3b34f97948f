/// One conversation over one connection, at the edge: from `hello` to the close.
///
/// It decodes commands, asks the limits, knows what its user may do, and turns commands into inputs for the owners of
/// rooms and users. It knows neither transport nor hub: both are behind the actions that it asks for. Every input is a
/// method that appends them to an array of the shell's own, so that a message allocates none.
///
/// The methods stand beside this file by concept: `+Hello`, `+Commands`, `+Joining`, `+Changes`, `+Transfers`,
/// `+HubMessages`, `+Heartbeat`.
public struct SessionStateMachine: Sendable {
    /// Exits: `awaitingHello` → `verifying` by a token, or `registering` with credentials at hand → `registering` when
    /// verified → `active` when the hub welcomes → `closed`. Every phase may go to `closed`.
    enum Phase: Sendable {
        /// With what the handshake's token has said, if there was one.
        indirect case awaitingHello(VerifiedCredentials?)
        indirect case verifying(DeviceID)
        case registering(Identity)
        /// `refreshing` is the `refresh` whose token is being verified.
        case active(Identity, refreshing: CommandID?)
        case closed
    }

    /// A room that the session is in, or has asked to be let into, or both: who is in may ask again, and a join that
    /// was asked for may be answered after a moderator's word, or an own `leave`, has ended the membership before it.
    struct JoinedRoom: Sendable {
        var id: RoomID
        var permissions: Permissions
        var bucket: LeakyBucket?
        var isJoined: Bool
        /// One join at a time, so that each gets its answer.
        var isJoining: Bool
    }

    public let id: SessionID
    let context: SessionContext
    var phase: Phase
    var rooms: [JoinedRoom] = []
    /// None, or one. Nearly every session has none, and an empty array costs less than its fields where a session is
    /// copied.
    private var pendingJoins: [PendingJoins] = []
    /// Uploads over this session, by number rising.
    var transfers: [Transfer] = []
    var lastTransfer: UInt32 = 0

    // Limits
    let address: String
    let connectionBucket: LeakyBucket?
    let addressBucket: LeakyBucket?
    var userBucket: LeakyBucket?
    var malformed: ViolationBudget
    var flooded: ViolationBudget
    var refreshes: ViolationBudget
    /// Commands that wait for their reply.
    var commandsInFlight = 0
    /// Those among them whose answers are pages: how many, and by their ids, which a client may use more than once.
    var pageCount = 0
    var pagesInFlight: [CommandID: Int] = [:]
    /// Whether the transport has too much to write.
    public internal(set) var isBacklogged = false
    var isReadingPaused = false

    // Time
    let openedAt: MonotonicTime
    var lastHeard: MonotonicTime
    var pingSentAt: MonotonicTime?

    /// - Parameters:
    ///   - address: the peer's address as limits count it: IPv4, or the /64 of IPv6.
    ///   - credentials: from a token at the handshake, verified already.
    public init(
        id: SessionID, context: SessionContext, address: String, credentials: Credentials? = nil,
        now: MonotonicTime, at wallTime: WallTime
    ) {
        self.id = id
        self.context = context
        self.address = address
        connectionBucket = context.limiter.connectionBucket()
        addressBucket = context.limiter.addressBucket(address, now: now)
        malformed = ViolationBudget(perMinute: context.limits.malformedPerMinuteMax, now: now)
        flooded = ViolationBudget(perMinute: context.limits.floodedPerMinuteMax, now: now)
        refreshes = ViolationBudget(perMinute: context.limits.refreshesPerMinuteMax, now: now)
        openedAt = now
        lastHeard = now
        phase = .awaitingHello(credentials.map { VerifiedCredentials($0, now: now, at: wallTime) })
        userBucket = credentials.flatMap { context.limiter.userBucket($0.userKey, now: now) }
    }

    public var isClosed: Bool { if case .closed = phase { true } else { false } }
    /// Whether the session was welcomed and is not over.
    public var isActive: Bool { if case .active = phase { true } else { false } }

    /// Who the session speaks for, from its registration to its end.
    var identity: Identity? {
        switch phase {
        case .registering(let identity), .active(let identity, _): identity
        case .awaitingHello, .verifying, .closed: nil
        }
    }

    /// A text message from the client.
    ///
    /// The limits are asked before a byte of it is read.
    public mutating func received(
        _ text: UnsafeRawBufferPointer, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        guard !isClosed else { return }
        noteActivity(now: now)
        if let wait = admit(now: now) { return refuseFlood(wait, now: now, into: &actions) }
        do throws(CommandDecoder.Failure) {
            execute(try context.decoder.decode(text), now: now, at: wallTime, into: &actions)
        } catch {
            // What is well-formed but unknown or too long is answered; only the malformed is held against the client.
            guard error.code != .badRequest || malformed.spend(now: now) else {
                return close(.tooManyViolations, into: &actions)
            }
            actions.append(.send(.error(id: error.id, code: error.code, message: error.message)))
        }
    }

    /// A command of a client in the same process, which needs no decoding.
    public mutating func received(
        _ command: Command, now: MonotonicTime, at wallTime: WallTime, into actions: inout [SessionAction]
    ) {
        guard !isClosed else { return }
        noteActivity(now: now)
        if let wait = admit(now: now) { return refuseFlood(wait, id: command.id, now: now, into: &actions) }
        execute(command, now: now, at: wallTime, into: &actions)
    }

    /// A ping or a pong: a sign of life, and charged like a command, so that a flood of them ends like one.
    public mutating func receivedControl(now: MonotonicTime, into actions: inout [SessionAction]) {
        guard !isClosed else { return }
        noteActivity(now: now)
        guard connectionBucket?.admit(now: now) != nil, !flooded.spend(now: now) else { return }
        close(.flooding, into: &actions)
    }

    private mutating func admit(now: MonotonicTime) -> Milliseconds? {
        connectionBucket?.admit(now: now) ?? userBucket?.admit(now: now) ?? addressBucket?.admit(now: now)
    }

    mutating func refuseFlood(
        _ wait: Milliseconds, id: CommandID? = nil, now: MonotonicTime, into actions: inout [SessionAction]
    ) {
        guard flooded.spend(now: now) else {
            let last = Event.error(id: id, code: .rateLimited, message: "flooding", retryAfter: max(wait, 10_000))
            actions.append(.send(last))
            return close(.flooding, into: &actions)
        }
        actions.append(
            .send(.error(id: id, code: .rateLimited, message: "Too many commands. Slow down.", retryAfter: wait)))
    }

    // MARK: The end

    /// The transport is gone, or about to go, for a reason of its own.
    public mutating func transportClosed(into actions: inout [SessionAction]) {
        guard !isClosed else { return }
        finish(into: &actions)
    }

    /// Ends the session from this side.
    mutating func close(_ code: CloseCode, into actions: inout [SessionAction]) {
        finish(into: &actions)
        actions.append(.close(code))
    }

    /// Leaves every room and tells the owner of the user, in this order: each room's owner then clears the session
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

    /// The transport's queue is over its bound: the client is dropped.
    public mutating func overflowed(into actions: inout [SessionAction]) {
        guard !isClosed else { return }
        close(.slowConsumer, into: &actions)
    }

    /// Whether the transport's queue is above its watermark.
    public mutating func backlogChanged(_ isBacklogged: Bool, into actions: inout [SessionAction]) {
        self.isBacklogged = isBacklogged
        guard !isClosed else { return }
        startJoins(into: &actions)
        updateReading(into: &actions)
    }

    /// Joins that the hub hasn't been asked for, and commands behind joins that have no answer.
    var joining: PendingJoins { pendingJoins.first ?? PendingJoins() }
    var isJoining: Bool { !pendingJoins.isEmpty }

    mutating func withJoining<Result>(_ body: (inout PendingJoins) -> Result) -> Result {
        if pendingJoins.isEmpty { pendingJoins.append(PendingJoins()) }
        defer { if pendingJoins[0].isEmpty { pendingJoins = [] } }
        return body(&pendingJoins[0])
    }

    /// Reads while neither replies nor bytes pile up.
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
