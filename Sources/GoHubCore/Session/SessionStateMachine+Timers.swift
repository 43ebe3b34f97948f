extension SessionStateMachine {
    /// Notes activity: any frame of the client including control frames, and any byte that it takes of a backlog.
    package mutating func noteActivity(now: MonotonicTime) {
        lastHeard = max(lastHeard, now)
        pingSentAt = nil
    }

    /// The time of the next call to `timerFired`. A timer is kept lazily, and is rescheduled when it fires too early.
    package var nextDeadline: MonotonicTime {
        let limits = context.limits
        switch phase {
        case .awaitingHello, .verifying, .registering: return openedAt + limits.helloTimeout
        case .active(let identity, _):
            var deadline = pingSentAt.map { $0 + limits.heartbeatGrace } ?? (lastHeard + limits.heartbeat)
            if let expiresAt = identity.expiresAt { deadline = min(deadline, expiresAt) }
            if !transfers.isEmpty, let transferDeadline { deadline = min(deadline, transferDeadline) }
            return deadline
        case .closed: return MonotonicTime(nanoseconds: .max)
        }
    }

    /// Fires the due deadline: hello timeout, token expiry, heartbeat timeout; sends `ping` first.
    package mutating func timerFired(now: MonotonicTime, into actions: inout [SessionAction]) {
        guard !isClosed, now >= nextDeadline else { return }
        if case .awaitingHello = phase {
            actions.append(.send(.error(id: nil, code: .unauthorized, message: "No hello arrived in time.")))
            return close(.invalidToken, into: &actions)
        }
        // The client has done its part; key fetching or the hub is slow.
        guard case .active(let identity, _) = phase else { return close(.tryAgainLater, into: &actions) }
        if let expiresAt = identity.expiresAt, now >= expiresAt { return close(.tokenExpired, into: &actions) }
        if let transferDeadline, now >= transferDeadline {
            return endIdleTransfers(of: identity, now: now, into: &actions)
        }
        // A client whose reading is paused for unanswered commands may have sent something: the silence is the hub's.
        if isReadingPaused, !isBacklogged {
            return noteActivity(now: now)
        }
        if pingSentAt != nil { return close(.heartbeatTimeout, into: &actions) }
        pingSentAt = now
        actions.append(.send(.ping))
    }
}
