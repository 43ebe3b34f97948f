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
        case .active:
            var deadline = pingSentAt.map { $0 + limits.heartbeatGrace } ?? (lastHeard + limits.heartbeat)
            if let expiresAt { deadline = min(deadline, expiresAt) }
            if !transfers.isEmpty, let transferDeadline { deadline = min(deadline, transferDeadline) }
            return deadline
        case .closed: return MonotonicTime(nanoseconds: .max)
        }
    }

    /// Does what is due: closes who never said hello, whose token ended or who is silent, and pings before that.
    public mutating func timerFired(now: MonotonicTime) -> [SessionAction] {
        guard phase != .closed, now >= nextDeadline else { return [] }
        if phase == .awaitingHello {
            return [.send(.error(id: nil, code: .unauthorized, message: "no hello in time"))] + close(.invalidToken)
        }
        // The client has done its part; keys or the hub are slow.
        guard phase == .active else { return close(.tryAgainLater) }
        if let expiresAt, now >= expiresAt { return close(.tokenExpired) }
        if let transferDeadline, now >= transferDeadline { return endIdleTransfers(now: now) }
        // A client that isn't read because the hub owes it replies may have spoken: the silence is ours.
        if isReadingPaused, !isBacklogged {
            heard(now: now)
            return []
        }
        if pingSentAt != nil { return close(.heartbeatTimeout) }
        pingSentAt = now
        return [.send(.ping)]
    }
}
