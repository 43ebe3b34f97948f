/// Whether the shard is on its way out.
///
/// Exits: `none` → `closing` by `drainStarted` → `done` when the last session is gone.
enum Drain: Sendable {
    case none
    /// `waiting` sessions are still to be closed, the first of them when the next step is due.
    case closing(waiting: ArraySlice<SessionID>, perStep: Int)
    case done
}

extension HubState {
    /// How often a batch of sessions is closed.
    private static let drainStep: Milliseconds = 100

    /// The hub stops: nobody new is welcomed, everyone is told when to come back, and closed in batches.
    public mutating func drainStarted(_ plan: DrainPlan, now: MonotonicTime) -> [HubAction] {
        guard case .none = drain else { return [] }
        let sessions = users.keys.flatMap { liveSessions(of: $0) }
            .sorted { ($0.serial, $0.edge.index) < ($1.serial, $1.edge.index) }
        let steps = max(1, Int(clamping: plan.closeOver.value / Self.drainStep.value))
        drain = .closing(waiting: sessions[...], perStep: max(1, (sessions.count + steps - 1) / steps))
        guard !sessions.isEmpty else { return drainProgress() }
        let count = UInt64(sessions.count)
        var actions: [HubAction] = sessions.enumerated().map { index, session in
            let opens = plan.reconnectOver.value * UInt64(index) / count
            let closes = plan.reconnectOver.value * UInt64(index + 1) / count
            return .tell(session, .event(.drain(reconnectAfter: opens...max(closes, opens + 500))))
        }
        actions += schedule(.drainStep, at: now + Self.drainStep)
        return actions
    }

    mutating func drainStepDue(now: MonotonicTime) -> [HubAction] {
        guard case .closing(var waiting, let perStep) = drain else { return [] }
        var actions: [HubAction] = waiting.prefix(perStep).map { .tell($0, .close(.serviceRestart)) }
        waiting = waiting.dropFirst(perStep)
        drain = .closing(waiting: waiting, perStep: perStep)
        if !waiting.isEmpty { actions += schedule(.drainStep, at: now + Self.drainStep) }
        return actions
    }

    /// Says so when the last session of a draining shard is gone, and how far its users had got, and what moderators did, is
    /// stored.
    mutating func drainProgress() -> [HubAction] {
        guard case .closing = drain, sessionCount == 0 else { return [] }
        let last = storeReceipts()
        guard receiptWriter.isEmpty, sanctionWriter.isEmpty else { return last }
        drain = .done
        return [.drained]
    }
}
