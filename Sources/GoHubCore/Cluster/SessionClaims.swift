internal import DequeModule

/// One session a key in the whole cluster: the claims of a shard's sessions, and its answers to those of other nodes.
///
/// A session is registered, replaces an older local one as ever, and is then claimed before its welcome: all nodes with
/// sessions of the user hear it, close an older one, and answer when that has left its rooms.
///
/// **The stamps decide, always.** Of two sessions the later one stays, and both nodes say so, in whatever order they
/// hear of each other. A node that has never heard of the other may give too early a stamp; then the older session's
/// node answers with its own and the session's age, and the claimant, whose clock follows what it hears, claims again.
/// Deciding by the age of a session alone could close both, when a claim is late.
///
/// **After the bus was away** the node with the older stamp decides alone, by which client was heard more recently. The
/// loser is closed with 1012 and not 4500: if the guess is wrong, its client comes back.
///
/// Without the bus every session is welcomed at once, and a device may have one on each node.
///
/// Life of an entry: claiming → held (`welcome`) → yielding (`close`) → removed by `ended`. A claiming one may yield,
/// too.
package struct SessionClaims: Sendable {
    /// Why a session's idle time is measured.
    package enum IdlePurpose: Hashable, Sendable {
        /// To claim it again.
        case claim(SessionKey)
        /// To decide about another node's claim, or to let that node decide.
        case settle(SessionClaim, from: NodeIncarnation)

        package var key: SessionKey {
            switch self {
            case .claim(let key): key
            case .settle(let claim, _): claim.key
            }
        }
    }

    struct Entry: Sendable {
        var session: SessionID
        var stamp: ClaimStamp
        var since: MonotonicTime
        /// The nodes that wait for the session's end, with the claims to be answered; `nil` while it stays.
        var askers: [NodeIncarnation: ClaimStamp]?
        /// The latest session of another node that this one has outlived: decided once, however often it is asked.
        var outlived: ClaimStamp?
    }

    /// A claim that somebody may still answer.
    struct Pending: Sendable {
        var isWelcomed = false
        /// Sessions of the user's other devices on this node.
        var localSessions: Int
        /// Other nodes that have heard the claim; `nil` while unknown.
        var receivers: Int?
        /// Whether the bus has said that it can't count.
        var isUncounted = false
        /// Whether the wait of a bus that can't count is over.
        var isQuiet = false
        var answers: [NodeIncarnation: Int] = [:]
        var clearing: Set<NodeIncarnation> = []
        var repeatsLeft: Int
        var raisesLeft: Int
    }

    private enum Deadline: Sendable {
        case quiet
        case timeout
    }

    let own: NodeIncarnation
    let limits: ClusterLimits
    /// The maximum sessions of a user on all nodes.
    let sessionsPerUserMax: Int
    var clock = HybridClock()
    var entries: [SessionKey: Entry] = [:]
    var pending: [SessionKey: Pending] = [:]
    /// The peers whose answers are worth waiting for.
    private var answering: Set<NodeIncarnation> = []
    /// The peers that may have heard a claim, and won't answer.
    private var silent: Set<NodeIncarnation> = []
    private(set) var isConnected = false
    /// Keys to be claimed again.
    private var again: Deque<SessionKey> = []
    private var stepDue: MonotonicTime?
    /// In the order of their times, because each queue has one delay.
    private var quietDeadlines: Deque<(due: MonotonicTime, SessionKey, ClaimStamp)> = []
    private var timeouts: Deque<(due: MonotonicTime, SessionKey, ClaimStamp)> = []
    private var timerDue: MonotonicTime?
    /// How often sessions of a key were told to come back since then.
    var doubts: [SessionKey: Int] = [:]
    var doubtsSince = MonotonicTime(nanoseconds: 0)
    /// Claims that were not answered in time, for a metric.
    package private(set) var unansweredCount = 0

    package init(own: NodeIncarnation, limits: ClusterLimits, sessionsPerUserMax: Int) {
        self.own = own
        self.limits = limits
        self.sessionsPerUserMax = sessionsPerUserMax
    }

    package var count: Int { entries.count }
    /// Claims that wait for an answer.
    package var pendingCount: Int { pending.count }

    /// Notes a reading of another node's clock, which comes with each of its messages.
    package mutating func heard(_ time: HybridTime) { clock.heard(time) }

    // MARK: Own sessions

    /// Handles a registered session that waits for its welcome. The shell has subscribed to the user's topic before.
    ///
    /// - Parameter localSessions: the user's sessions of other devices on this node.
    package mutating func requested(
        _ session: SessionID, _ key: SessionKey, localSessions: Int, now: MonotonicTime, at wall: WallTime,
        into actions: inout [ClaimAction]
    ) {
        let stamp = ClaimStamp(clock.next(at: wall), own)
        entries[key] = Entry(session: session, stamp: stamp, since: now)
        guard isConnected else { return actions.append(.welcome(session, isClaimed: false)) }
        pending[key] = Pending(
            localSessions: localSessions, repeatsLeft: limits.claimRepeatsMax, raisesLeft: limits.claimRaisesMax)
        tell(key, stamp, now: now, into: &actions)
    }

    /// Handles the bus's report on a claim.
    ///
    /// - Parameter receivers: the other nodes that have heard it; `nil` if the bus can't count them.
    package mutating func told(
        _ key: SessionKey, _ stamp: ClaimStamp, receivers: Int?, now: MonotonicTime, into actions: inout [ClaimAction]
    ) {
        guard entries[key]?.stamp == stamp, pending[key] != nil else { return }
        if let receivers {
            pending[key]?.receivers = max(0, receivers)
        } else if pending[key]?.isUncounted == false {
            pending[key]?.isUncounted = true
            quietDeadlines.append((now + limits.claimQuiet, key, stamp))
        }
        check(key, into: &actions)
        schedule(into: &actions)
    }

    /// Handles the end of a session that has left all its rooms.
    ///
    /// - Parameter otherSessions: the user's sessions of other devices on this node.
    package mutating func ended(
        _ session: SessionID, _ key: SessionKey, otherSessions: Int, into actions: inout [ClaimAction]
    ) {
        guard let entry = entries[key], entry.session == session else { return }
        entries[key] = nil
        pending[key] = nil
        for (node, claim) in (entry.askers ?? [:]).sorted(by: { $0.key < $1.key }) {
            actions.append(.answer(node, ClaimAnswer(key, claim, .free(sessions: otherSessions))))
        }
    }

    mutating func tell(
        _ key: SessionKey, _ stamp: ClaimStamp, now: MonotonicTime, into actions: inout [ClaimAction]
    ) {
        actions.append(.tell(SessionClaim(key, stamp, .new)))
        timeouts.append((now + limits.claimTimeout, key, stamp))
        schedule(into: &actions)
    }

    /// Welcomes the session if everybody who can answer has.
    mutating func check(_ key: SessionKey, into actions: inout [ClaimAction]) {
        guard let entry = entries[key], entry.askers == nil, let claim = pending[key] else { return }
        guard claim.clearing.isDisjoint(with: answering) else { return }
        guard isAnswered(claim) else { return }
        pending[key] = nil
        guard !claim.isWelcomed else { return }
        let others = claim.answers.values.reduce(claim.localSessions) { $0 + $1 }
        guard others < sessionsPerUserMax else { return yield(key, .connectionLimit, into: &actions) }
        actions.append(.welcome(entry.session, isClaimed: true))
    }

    private func isAnswered(_ claim: Pending) -> Bool {
        let haveAllAnswered = answering.allSatisfy { claim.answers[$0] != nil }
        guard let receivers = claim.receivers else {
            // While the bus hasn't reported, the claim may not even be out.
            return claim.isUncounted && (claim.isQuiet || (haveAllAnswered && !answering.isEmpty))
        }
        let missing = receivers - claim.answers.count
        // A node that has just started is counted, and not known.
        return missing <= 0 || (haveAllAnswered && missing <= silent.count { claim.answers[$0] == nil })
    }

    mutating func yield(_ key: SessionKey, _ code: CloseCode, into actions: inout [ClaimAction]) {
        guard let session = entries[key]?.session, entries[key]?.askers == nil else { return }
        entries[key]?.askers = [:]
        pending[key] = nil
        actions.append(.close(session, code))
    }

    // MARK: Peers and the link

    /// Notes the peers whose answers are worth waiting for, and those that may hear a claim and won't answer.
    package mutating func peersChanged(
        answering: Set<NodeIncarnation>, silent: Set<NodeIncarnation>, into actions: inout [ClaimAction]
    ) {
        (self.answering, self.silent) = (answering, silent)
        for key in sorted(pending.keys) { check(key, into: &actions) }
    }

    /// Handles the loss of the bus: nobody waits for answers that can't come.
    package mutating func linkLost(into actions: inout [ClaimAction]) {
        isConnected = false
        again = []
        let waiting = sorted(pending.filter { !$0.value.isWelcomed }.keys)
        pending = [:]
        for key in waiting {
            if let entry = entries[key] { actions.append(.welcome(entry.session, isClaimed: false)) }
        }
    }

    /// Handles the return of the bus, after the topics are subscribed to again: all sessions are claimed again.
    package mutating func linkRestored(now: MonotonicTime, into actions: inout [ClaimAction]) {
        isConnected = true
        claimAgain(now: now, into: &actions)
    }

    /// Claims all sessions again, some at a time: also now and then on a healthy bus, which may have lost a claim.
    package mutating func claimAgain(now: MonotonicTime, into actions: inout [ClaimAction]) {
        guard isConnected else { return }
        again = Deque(sorted(entries.filter { pending[$0.key] == nil }.keys))
        step(now: now, into: &actions)
    }

    private mutating func step(now: MonotonicTime, into actions: inout [ClaimAction]) {
        stepDue = nil
        for _ in 0..<limits.claimsPerStep {
            guard let key = again.popFirst() else { break }
            guard let entry = entries[key], entry.askers == nil else { continue }
            actions.append(.measureIdle(entry.session, .claim(key)))
        }
        if !again.isEmpty { stepDue = now + 100 }
        schedule(into: &actions)
    }

    /// In a stable order, so that a simulation can be repeated.
    private func sorted(_ keys: some Sequence<SessionKey>) -> [SessionKey] {
        keys.sorted { (entries[$0]?.stamp.time.value ?? 0) < (entries[$1]?.stamp.time.value ?? 0) }
    }

    // MARK: Time

    package mutating func timerFired(now: MonotonicTime, into actions: inout [ClaimAction]) {
        timerDue = nil
        while let first = quietDeadlines.first, first.due <= now {
            quietDeadlines.removeFirst()
            expired(.quiet, first.1, first.2, now: now, into: &actions)
        }
        while let first = timeouts.first, first.due <= now {
            timeouts.removeFirst()
            expired(.timeout, first.1, first.2, now: now, into: &actions)
        }
        if let stepDue, stepDue <= now { step(now: now, into: &actions) }
        schedule(into: &actions)
    }

    private mutating func expired(
        _ deadline: Deadline, _ key: SessionKey, _ stamp: ClaimStamp, now: MonotonicTime,
        into actions: inout [ClaimAction]
    ) {
        guard let entry = entries[key], entry.stamp == stamp, entry.askers == nil, let claim = pending[key] else {
            return
        }
        switch deadline {
        case .quiet:
            pending[key]?.isQuiet = true
            check(key, into: &actions)
        case .timeout:
            if !claim.isWelcomed {
                unansweredCount += 1
                pending[key]?.isWelcomed = true
                actions.append(.welcome(entry.session, isClaimed: false))
            }
            // Somebody has heard it, or the claim or the answer is lost: the older session may be there still.
            guard claim.repeatsLeft > 0 else { return pending[key] = nil }
            pending[key]?.repeatsLeft -= 1
            tell(key, stamp, now: now, into: &actions)
        }
    }

    private mutating func schedule(into actions: inout [ClaimAction]) {
        let due = [quietDeadlines.first?.due, timeouts.first?.due, stepDue].compactMap(\.self).min()
        guard let due, timerDue.map({ due < $0 }) ?? true else { return }
        timerDue = due
        actions.append(.scheduleTimer(due))
    }
}
