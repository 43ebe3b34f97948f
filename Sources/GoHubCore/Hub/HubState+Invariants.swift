extension HubState {
    /// Reports violated invariants, which must hold between any two inputs. A simulation checks after each step; a
    /// release build does nothing.
    ///
    /// - Parameter report: receives a violation; by default it stops a debug build.
    package func assertInvariants(_ report: (String) -> Void = { assertionFailure($0) }) {
        #if DEBUG
        if !(0...limits.storeRequestsInFlightMax).contains(storeRequestsInFlight) {
            report("\(storeRequestsInFlight) store requests are in flight")
        }
        assertSessions(report)
        for (id, room) in rooms { room.assertInvariants { report("\(id.name): \($0)") } }
        receiptWriter.assertInvariants(report)
        #endif
    }

    private func assertSessions(_ report: (String) -> Void) {
        let registered = users.values.reduce(0) { $0 + $1.count }
        if registered != sessionCount {
            report("\(registered) sessions are registered, but the count is \(sessionCount)")
        }
        for (user, devices) in users {
            if devices.isEmpty { report("\(user.user) is registered without a session") }
            for session in devices.values {
                if case .live = session.phase, session.successor != nil {
                    report("\(session.id) is live and has a successor")
                }
                if session.successor == session.id { report("\(session.id) is its own successor") }
            }
        }
        if case .done = drain, sessionCount > 0 { report("the shard is drained but has \(sessionCount) sessions") }
    }
}

extension Room {
    fileprivate func assertInvariants(_ report: (String) -> Void) {
        var sessions: [UserID: Int] = [:]
        var byEdge: [EdgeID: Int] = [:]
        for (session, user) in members {
            sessions[user, default: 0] += 1
            byEdge[session.edge, default: 0] += 1
        }
        if sessions != users.mapValues(\.sessions) { report("the users don't match the members' sessions") }
        if byEdge != membersByEdge { report("the member counts of the edges are wrong") }
        if edges.count != byEdge.count || Set(edges) != Set(byEdge.keys) {
            report("the edges don't match the members")
        }
        if let due = presence.firstDue, presence.timerDue == nil {
            report("presence is due at \(due), but no timer is set")
        }
        if receipts.hasUnannounced, !receipts.isLoaded { report("receipts wait for delivery, but are not loaded") }
    }
}
