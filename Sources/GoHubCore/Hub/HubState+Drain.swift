/// The drain state of the shard.
///
/// Exits: `none` → `closing` by `drainStarted` → `done` when the last session has ended.
enum Drain: Sendable {
    case none
    /// `waiting` sessions are still to be closed, starting with the next step.
    case closing(waiting: ArraySlice<SessionID>, perStep: Int)
    case done
}

extension HubState {
    /// The interval between batches of closed sessions.
    private static let drainStep: Milliseconds = 100

    /// Begins the drain: no new sessions are accepted, all clients are sent the time to reconnect, and sessions are
    /// closed in batches.
    package mutating func drainStarted(_ plan: DrainPlan, now: MonotonicTime, into actions: inout [HubAction]) {
        guard case .none = drain else { return }
        let sessions = users.keys.flatMap { liveSessions(of: $0) }
            .sorted { ($0.serial, $0.edge.index) < ($1.serial, $1.edge.index) }
        let steps = max(1, Int(clamping: plan.closeOver.value / Self.drainStep.value))
        drain = .closing(waiting: sessions[...], perStep: max(1, (sessions.count + steps - 1) / steps))
        guard !sessions.isEmpty else { return drainProgress(into: &actions) }
        let count = UInt64(sessions.count)
        for (index, session) in sessions.enumerated() {
            let opens = plan.reconnectOver.value * UInt64(index) / count
            let closes = plan.reconnectOver.value * UInt64(index + 1) / count
            actions.append(.send(session, .event(.drain(reconnectAfter: opens...max(closes, opens + 500)))))
        }
        schedule(.drainStep, at: now + Self.drainStep, into: &actions)
    }

    mutating func drainStepDue(now: MonotonicTime, into actions: inout [HubAction]) {
        guard case .closing(var waiting, let perStep) = drain else { return }
        for session in waiting.prefix(perStep) { actions.append(.send(session, .close(.serviceRestart))) }
        waiting = waiting.dropFirst(perStep)
        drain = .closing(waiting: waiting, perStep: perStep)
        if !waiting.isEmpty { schedule(.drainStep, at: now + Self.drainStep, into: &actions) }
    }

    /// Reports `drained` when the last session of a draining shard has ended and all receipts and sanctions are stored.
    mutating func drainProgress(into actions: inout [HubAction]) {
        guard case .closing = drain, sessionCount == 0 else { return }
        storeReceipts(into: &actions)
        guard receiptWriter.isEmpty, sanctionWriter.isEmpty else { return }
        drain = .done
        actions.append(.drained)
    }
}
