/// One session of a device in the whole cluster: the shell of `SessionClaims`.
///
/// ```
/// connected ─► registered ─► subscribed to the user ─► claim ─► welcome
///                                                        └► other nodes close an older session, and answer
/// ```
///
/// Without a link to the bus there is nothing to wait for: a device may then have a session on each node, until the
/// link is back.
extension HubState {
    /// Claims the registered session of a key, which is welcomed when the other nodes have answered.
    mutating func claim(_ key: SessionKey, now: MonotonicTime, into actions: inout [HubAction]) {
        guard let entry = users[key.user]?[key.device] else { return }
        switch entry.phase {
        case .ending: return
        case .waiting, .live: break
        }
        guard claims != nil else { return welcome(key, into: &actions) }
        users[key.user]?[key.device]?.phase = .waiting
        bus.keys[entry.id] = key
        let others = otherSessions(key)
        perform(now: now, into: &actions) { claims, wall, claimActions in
            claims.requested(entry.id, key, localSessions: others, now: now, at: wall, into: &claimActions)
        }
    }

    /// Handles the end of a registered session, when it has left all rooms.
    mutating func claimEnded(
        _ session: SessionID, _ key: SessionKey, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard bus.keys.removeValue(forKey: session) != nil else { return }
        let others = otherSessions(key)
        perform(now: now, into: &actions) { claims, _, claimActions in
            claims.ended(session, key, otherSessions: others, into: &claimActions)
        }
    }

    /// Handles another node's claim.
    mutating func received(
        _ claim: SessionClaim, from node: NodeIncarnation, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        let others = otherSessions(claim.key)
        perform(now: now, into: &actions) { claims, _, claimActions in
            claims.claimed(claim, from: node, otherSessions: others, now: now, into: &claimActions)
        }
    }

    /// Handles another node's answer to a claim of this one.
    mutating func received(
        _ answer: ClaimAnswer, from node: NodeIncarnation, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        perform(now: now, into: &actions) { claims, wall, claimActions in
            claims.answered(answer, from: node, now: now, at: wall, into: &claimActions)
        }
    }

    /// The bus has taken a claim.
    mutating func claimPublished(
        _ number: UInt64, receivers: Int?, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard let claim = bus.claims.removeValue(forKey: number) else { return }
        perform(now: now, into: &actions) { claims, _, claimActions in
            claims.told(claim.key, claim.stamp, receivers: receivers, now: now, into: &claimActions)
        }
    }

    /// Handles the time since when a session's client was not heard.
    package mutating func idleMeasured(
        _ session: SessionID, _ idle: Milliseconds, _ purpose: SessionClaims.IdlePurpose, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        perform(now: now, into: &actions) { claims, _, claimActions in
            claims.idleMeasured(session, idle, purpose, into: &claimActions)
        }
    }

    mutating func claimsDue(now: MonotonicTime, into actions: inout [HubAction]) {
        perform(now: now, into: &actions) { claims, _, claimActions in
            claims.timerFired(now: now, into: &claimActions)
        }
    }

    // MARK: Actions

    /// The user's registered sessions of other devices on this node.
    private func otherSessions(_ key: SessionKey) -> Int {
        (users[key.user] ?? [:]).count { $0.key != key.device }
    }

    /// Changes the claims, and performs what they want.
    mutating func perform(
        now: MonotonicTime, into actions: inout [HubAction],
        _ body: (inout SessionClaims, WallTime, inout [ClaimAction]) -> Void
    ) {
        guard claims != nil else { return }
        var claimActions: [ClaimAction] = []
        let wall = bus.clock.calendar(now: now)
        if var changed = claims.take() {
            body(&changed, wall, &claimActions)
            claims = changed
        }
        for action in claimActions { perform(action, now: now, into: &actions) }
    }

    private mutating func perform(_ action: ClaimAction, now: MonotonicTime, into actions: inout [HubAction]) {
        switch action {
        case .tell(let claim): publish(claim, now: now, into: &actions)
        case .answer(let node, let answer): publish(.claimAnswered(answer), to: .node(node), now: now, into: &actions)
        case .welcome(let session, _): if let key = bus.keys[session] { welcome(key, into: &actions) }
        case .close(let session, let code):
            guard let key = bus.keys[session], let entry = users[key.user]?[key.device], entry.id == session else {
                return
            }
            switch entry.phase {
            // It ends already, and says so then.
            case .ending: return
            case .waiting, .live:
                users[key.user]?[key.device]?.phase = .ending(roomsLeft: 0, isDisconnected: false)
                actions.append(.send(session, .close(code)))
            }
        case .measureIdle(let session, let purpose): actions.append(.send(session, .measureIdle(purpose)))
        case .scheduleTimer(let due): schedule(.claims, at: due, into: &actions)
        }
    }

    private mutating func publish(_ claim: SessionClaim, now: MonotonicTime, into actions: inout [HubAction]) {
        guard bus.subscriptions.isLinked else { return }
        var number: UInt64 = 0
        if case .new = claim.kind {
            bus.lastNumber += 1
            number = bus.lastNumber
            bus.claims[number] = claim
        }
        actions.append(
            .bus(
                .publish(
                    .claim(claim), to: .user(claim.key.user), number: number, at: bus.clock.next(now: now))))
    }
}
