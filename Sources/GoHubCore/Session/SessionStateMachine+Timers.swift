/// All timers of a session. A shell keeps one timer for a session, for the earliest of its deadlines:
///
/// | deadline | counts from | at its end |
/// |---|---|---|
/// | `Limits.helloTimeout` | the connection's opening, until the session is active | closes |
/// | token expiry | `Identity.expiresAt` | closes |
/// | `Limits.transferTimeout` | an upload's last bytes (`Transfer.movedAt`) | ends the upload |
/// | `Limits.heartbeat` | the client's last activity | sends `ping` |
/// | `Limits.heartbeatGrace` | that `ping` | closes |
/// | `HubMessage.resync` | the client has missed something | closes |
extension SessionStateMachine {
    /// The times from which the session's own timers count.
    struct Timers: Sendable {
        let openedAt: MonotonicTime
        var lastHeard: MonotonicTime
        var pingSentAt: MonotonicTime?
        /// The time of the close for what the client has missed; never, unless it has.
        var resyncAt = MonotonicTime(nanoseconds: .max)

        init(now: MonotonicTime) {
            openedAt = now
            lastHeard = now
        }
    }

    /// Notes activity: any frame of the client including control frames, and any byte that it takes of a backlog.
    package mutating func noteActivity(now: MonotonicTime) {
        timers.lastHeard = max(timers.lastHeard, now)
        timers.pingSentAt = nil
    }

    /// The time of the next call to `timerFired`. A timer is kept lazily, and is rescheduled when it fires too early.
    package var nextDeadline: MonotonicTime {
        var machine = self
        return machine.readDeadline()
    }

    /// `nextDeadline`, read in place (`mutating`): a loop asks after every message, and a getter's caller in another
    /// module copies the machine.
    package mutating func readDeadline() -> MonotonicTime {
        let limits = context.limits
        switch phase {
        case .awaitingHello, .verifying, .registering: return timers.openedAt + limits.helloTimeout
        case .active(let identity, _):
            var deadline = timers.pingSentAt.map { $0 + limits.heartbeatGrace } ?? (timers.lastHeard + limits.heartbeat)
            if let expiresAt = identity.expiresAt { deadline = min(deadline, expiresAt) }
            deadline = min(deadline, timers.resyncAt)
            if !transfers.isEmpty, let transferDeadline { deadline = min(deadline, transferDeadline) }
            return deadline
        case .closed: return MonotonicTime(nanoseconds: .max)
        }
    }

    /// Fires the due deadline: hello timeout, token expiry, heartbeat timeout; sends `ping` first.
    package mutating func timerFired(now: MonotonicTime, into actions: inout [SessionAction]) {
        guard !isClosed, now >= readDeadline() else { return }
        if case .awaitingHello = phase {
            actions.append(.send(.error(id: nil, code: .unauthorized, message: "No hello arrived in time.")))
            return close(.invalidToken, into: &actions)
        }
        // The client has done its part; key fetching or the hub is slow.
        guard case .active(let identity, _) = phase else { return close(.tryAgainLater, into: &actions) }
        if let expiresAt = identity.expiresAt, now >= expiresAt { return close(.tokenExpired, into: &actions) }
        if now >= timers.resyncAt { return close(.resyncNeeded, into: &actions) }
        if let transferDeadline, now >= transferDeadline {
            return endIdleTransfers(of: identity, now: now, into: &actions)
        }
        // A client whose reading is paused for unanswered commands may have sent something: the silence is the hub's.
        if isReadingPaused, !isBacklogged {
            return noteActivity(now: now)
        }
        if timers.pingSentAt != nil { return close(.heartbeatTimeout, into: &actions) }
        timers.pingSentAt = now
        actions.append(.send(.ping))
    }

    /// Whether the session is to be closed for what the client has missed. The client's next command closes it at once:
    /// it would be refused, although it can be sent again after the reconnect.
    var awaitsResync: Bool { timers.resyncAt.nanoseconds != .max }

    // MARK: Uploads

    /// The time when the next idle transfer times out.
    private var transferDeadline: MonotonicTime? {
        transfers.filter(\.isAwaitingBytes).map { $0.movedAt + context.limits.transferTimeout }.min()
    }

    /// Ends idle transfers and frees their slots.
    private mutating func endIdleTransfers(
        of identity: Identity, now: MonotonicTime, into actions: inout [SessionAction]
    ) {
        let idle = transfers.indices.reversed().filter { index in
            transfers[index].isAwaitingBytes && now >= transfers[index].movedAt + context.limits.transferTimeout
        }
        let ended = idle.map { remove($0, of: identity) }
        let message = "The upload timed out. Send the same upload again to resume it."
        // Releases come first. Sends may overflow the client's queue and then are the last actions performed.
        for transfer in ended { if let lease = transfer.lease { actions.append(.release(lease)) } }
        for transfer in ended {
            actions.append(.send(.error(id: transfer.id, code: .unavailable, message: message)))
        }
    }
}
