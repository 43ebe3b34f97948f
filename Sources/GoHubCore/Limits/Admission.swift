/// The rates and budgets of one session: what it may send, and how much misuse is tolerated.
///
/// A command takes from the buckets of the connection, the user and the address. A command above a rate takes from the
/// flood budget. When that budget is exhausted, the answer is `flooding`, and the session closes. The bucket of a room
/// belongs to the membership.
struct Admission: Sendable {
    enum Scope: Equatable, Sendable {
        case connection, user, address
        /// The session's own token refreshes.
        case refresh
    }

    enum Answer: Equatable, Sendable {
        case passed
        /// Above the scope's rate.
        case refused(Scope, wait: Milliseconds)
        /// Above the scope's rate once more than is tolerated: the session must be closed.
        case flooding(Scope, wait: Milliseconds)
    }

    /// The wait after a refused refresh, and the shortest wait after a flood.
    static let longWait: Milliseconds = 10_000
    /// The number of rooms in a `join` that cost as much as a command.
    private static let joinsPerCommand = 4

    private let connection: LeakyBucket?
    private let address: LeakyBucket?
    /// Unknown until the token is verified.
    private var user: LeakyBucket?
    private var malformed: ViolationBudget
    private var flooded: ViolationBudget
    private var refreshes: ViolationBudget

    init(_ limiter: RateLimiter, _ limits: Limits, address: String, now: MonotonicTime) {
        connection = limiter.connectionBucket()
        self.address = limiter.addressBucket(address, now: now)
        malformed = ViolationBudget(perMinute: limits.malformedPerMinuteMax, now: now)
        flooded = ViolationBudget(perMinute: limits.floodedPerMinuteMax, now: now)
        refreshes = ViolationBudget(perMinute: limits.refreshesPerMinuteMax, now: now)
    }

    /// From here on the session's commands count as the user's.
    mutating func authenticated(_ user: UserKey, by limiter: RateLimiter, now: MonotonicTime) {
        self.user = limiter.userBucket(user, now: now)
    }

    /// Admits a command, before a byte of it is decoded.
    mutating func command(now: MonotonicTime) -> Answer {
        if let wait = connection?.admit(now: now) { return refused(.connection, wait, now: now) }
        if let wait = user?.admit(now: now) { return refused(.user, wait, now: now) }
        if let wait = address?.admit(now: now) { return refused(.address, wait, now: now) }
        return .passed
    }

    /// Admits a ping or a pong, which costs as much as a command of the connection.
    mutating func control(now: MonotonicTime) -> Answer {
        guard let wait = connection?.admit(now: now) else { return .passed }
        return refused(.connection, wait, now: now)
    }

    /// Admits a part of an upload that its credit doesn't pay for: a tiny one, or one of an ended transfer. It costs as
    /// much as a command of the connection.
    mutating func chunk(now: MonotonicTime) -> Answer {
        control(now: now)
    }

    /// Admits a token refresh.
    mutating func refresh(now: MonotonicTime) -> Answer {
        refreshes.spend(now: now) ? .passed : refused(.refresh, Self.longWait, now: now)
    }

    /// Charges a `join` of many rooms as several commands. The first one is already charged.
    func charge(forJoins count: Int, now: MonotonicTime) {
        let cost = count / Self.joinsPerCommand
        for bucket in [connection, user, address] { bucket?.charge(cost, now: now) }
    }

    /// Takes a malformed command or message from the budget.
    ///
    /// - Returns: false when the budget is exhausted: the session must be closed.
    mutating func toleratesMalformed(now: MonotonicTime) -> Bool {
        malformed.spend(now: now)
    }

    private mutating func refused(_ scope: Scope, _ wait: Milliseconds, now: MonotonicTime) -> Answer {
        flooded.spend(now: now) ? .refused(scope, wait: wait) : .flooding(scope, wait: max(wait, Self.longWait))
    }
}
