/// Which of two sessions of a key stays.
extension SessionClaims {
    /// Handles another node's claim.
    ///
    /// - Parameter otherSessions: the user's sessions of other devices on this node.
    package mutating func claimed(
        _ claim: SessionClaim, from node: NodeIncarnation, otherSessions: Int, now: MonotonicTime,
        into actions: inout [ClaimAction]
    ) {
        clock.heard(claim.stamp.time)
        guard node != own, claim.stamp.node == node else { return }
        func answer(_ verdict: ClaimAnswer.Verdict) {
            actions.append(.answer(node, ClaimAnswer(claim.key, claim.stamp, verdict)))
        }
        guard let entry = entries[claim.key] else {
            // A claim after an outage waits for nobody.
            if case .new = claim.kind { answer(.free(sessions: otherSessions)) }
            return
        }
        if entry.askers != nil {
            guard entry.askers?.count ?? 0 < limits.nodesMax else { return }
            entries[claim.key]?.askers?[node] = claim.stamp
            return answer(.clearing)
        }
        switch claim.kind {
        case .new where claim.stamp > entry.stamp:
            let isOlder = isOlder(entry, than: claim.stamp, now: now)
            let mayComeBack = !isOlder && doubt(claim.key, now: now)
            give(claim, to: node, mayComeBack ? .serviceRestart : .replaced, into: &actions)
        case .new: answer(.outranked(by: entry.stamp, age: now.since(entry.since)))
        case .again: actions.append(.measureIdle(entry.session, .settle(claim, from: node)))
        }
    }

    /// Whether the own session is older beyond doubt, and not only by its stamp. If the nodes haven't heard each other
    /// before and a calendar is wrong, the closed client may be the newer one: then it must come back, and takes over.
    /// With 4500 it would be stranded.
    private func isOlder(_ entry: Entry, than stamp: ClaimStamp, now: MonotonicTime) -> Bool {
        let own = entry.stamp.time.value >> 16
        let other = stamp.time.value >> 16
        let age = now.since(entry.since).value
        let doubt = limits.claimSettledAfter.value
        // Neither too close to say, nor from a calendar that is ahead of ours.
        return age >= doubt && other >= own + doubt && other <= own + age + doubt / 2
    }

    /// Notes that a session is told to come back.
    ///
    /// - Returns: false if it mustn't be, because so many of its key were already.
    private mutating func doubt(_ key: SessionKey, now: MonotonicTime) -> Bool {
        if now.since(doubtsSince) >= limits.claimDoubtsExpireAfter { (doubts, doubtsSince) = ([:], now) }
        guard doubts[key] != nil || doubts.count < limits.claimsPerStep else { return true }
        doubts[key, default: 0] += 1
        return doubts[key, default: 0] <= limits.claimDoubtsMax
    }

    /// Closes the own session for another node's.
    private mutating func give(
        _ claim: SessionClaim, to node: NodeIncarnation, _ code: CloseCode, into actions: inout [ClaimAction]
    ) {
        yield(claim.key, code, into: &actions)
        entries[claim.key]?.askers?[node] = claim.stamp
        actions.append(.answer(node, ClaimAnswer(claim.key, claim.stamp, .clearing)))
    }

    /// Handles the time since when a session's client wasn't heard.
    package mutating func idleMeasured(
        _ session: SessionID, _ idle: Milliseconds, _ purpose: IdlePurpose, into actions: inout [ClaimAction]
    ) {
        switch purpose {
        case .claim(let key):
            guard isConnected, let entry = entries[key], entry.session == session, entry.askers == nil else { return }
            actions.append(.tell(SessionClaim(key, entry.stamp, .again(idle: idle))))
        case .settle(let claim, let node):
            guard let entry = entries[claim.key], entry.session == session, entry.askers == nil,
                case .again(let theirs) = claim.kind
            else { return }
            settle(claim.key, theirs: claim.stamp, idle: theirs, ownIdle: idle, with: node, into: &actions)
        }
    }

    /// The node with the older session decides, and only it: two decisions could differ, because time passes between.
    private mutating func settle(
        _ key: SessionKey, theirs: ClaimStamp, idle: Milliseconds, ownIdle: Milliseconds, with node: NodeIncarnation,
        into actions: inout [ClaimAction]
    ) {
        guard let entry = entries[key] else { return }
        let isOutlived = entry.outlived.map { theirs <= $0 } ?? false
        if theirs < entry.stamp {
            let holds = ClaimAnswer.Verdict.holds(entry.stamp, idle: ownIdle)
            actions.append(.answer(node, ClaimAnswer(key, theirs, holds)))
        } else if ownIdle > idle, !isOutlived {
            give(SessionClaim(key, theirs, .new), to: node, .serviceRestart, into: &actions)
        } else {
            entries[key]?.outlived = max(theirs, entry.outlived ?? theirs)
            actions.append(.answer(node, ClaimAnswer(key, theirs, .outlived)))
        }
    }

    /// Handles an answer to a claim of this node. An answer to an older claim, or a repeated one, changes nothing.
    package mutating func answered(
        _ answer: ClaimAnswer, from node: NodeIncarnation, now: MonotonicTime, at wall: WallTime,
        into actions: inout [ClaimAction]
    ) {
        let key = answer.key
        if case .outranked(let stamp, _) = answer.verdict { clock.heard(stamp.time) }
        guard let entry = entries[key], entry.stamp == answer.claim, entry.askers == nil else { return }
        switch answer.verdict {
        case .free(let sessions):
            guard pending[key] != nil, pending[key]?.answers.count ?? 0 < limits.nodesMax else { return }
            pending[key]?.answers[node] = max(0, min(sessions, sessionsPerUserMax))
            pending[key]?.clearing.remove(node)
            check(key, into: &actions)
        case .clearing:
            guard pending[key]?.clearing.count ?? 0 < limits.nodesMax else { return }
            pending[key]?.clearing.insert(node)
        case .outranked(_, let age): outranked(key, age: age, now: now, at: wall, into: &actions)
        case .holds(let stamp, let idle):
            guard stamp > entry.stamp, stamp.node == node else { return }
            let claim = SessionClaim(key, stamp, .again(idle: idle))
            actions.append(.measureIdle(entry.session, .settle(claim, from: node)))
        case .outlived: yield(key, .serviceRestart, into: &actions)
        }
    }

    /// The other session's stamp is later. If that session is older nevertheless, this node's clock was behind: it is
    /// claimed again, with a stamp after the other's. Each node measures its session's age for itself, so calendars
    /// don't matter, and the other one has only grown older on the way.
    private mutating func outranked(
        _ key: SessionKey, age: Milliseconds, now: MonotonicTime, at wall: WallTime, into actions: inout [ClaimAction]
    ) {
        guard let entry = entries[key] else { return }
        let ownAge = now.since(entry.since)
        var claim =
            pending[key]
            ?? Pending(isWelcomed: true, localSessions: 0, repeatsLeft: 0, raisesLeft: limits.claimRaisesMax)
        guard age >= ownAge, claim.raisesLeft > 0 else {
            let isOlder = age.value + limits.claimSettledAfter.value < ownAge.value
            return yield(key, isOlder ? .replaced : .serviceRestart, into: &actions)
        }
        let raised = ClaimStamp(clock.next(at: wall), own)
        entries[key]?.stamp = raised
        claim.raisesLeft -= 1
        (claim.answers, claim.clearing) = ([:], [])
        (claim.receivers, claim.isUncounted, claim.isQuiet) = (nil, false, false)
        pending[key] = claim
        tell(key, raised, now: now, into: &actions)
    }
}
