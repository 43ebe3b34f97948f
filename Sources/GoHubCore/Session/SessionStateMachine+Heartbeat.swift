extension SessionStateMachine {
    /// A sign of life: any frame of the client, control frames too, and any byte that it takes of a backlog.
    public mutating func heard(now: MonotonicTime) {
        lastHeard = max(lastHeard, now)
        pingSentAt = nil
    }

    /// When `timerFired` should be called next: a timer is kept lazily, and asks again when it comes too early.
    public var nextDeadline: MonotonicTime {
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

    /// Does what is due: closes who never said hello, whose token ended or who is silent, and pings before that.
    public mutating func timerFired(now: MonotonicTime, into actions: inout [SessionAction]) {
        guard !isClosed, now >= nextDeadline else { return }
        if case .awaitingHello = phase {
            actions.append(.send(.error(id: nil, code: .unauthorized, message: "no hello in time")))
            return close(.invalidToken, into: &actions)
        }
        // The client has done its part; keys or the hub are slow.
        guard case .active(let identity, _) = phase else { return close(.tryAgainLater, into: &actions) }
        if let expiresAt = identity.expiresAt, now >= expiresAt { return close(.tokenExpired, into: &actions) }
        if let transferDeadline, now >= transferDeadline {
            return endIdleTransfers(of: identity, now: now, into: &actions)
        }
        // A client that isn't read because the hub owes it replies may have spoken: the silence is ours.
        if isReadingPaused, !isBacklogged {
            return heard(now: now)
        }
        if pingSentAt != nil { return close(.heartbeatTimeout, into: &actions) }
        pingSentAt = now
        actions.append(.send(.ping))
    }
}
