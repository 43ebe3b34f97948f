/// When and where a session of a key began. Of two sessions of a key the one with the greater stamp is the later one,
/// for all nodes alike.
package struct ClaimStamp: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let time: HybridTime
    package let node: NodeIncarnation

    package init(_ time: HybridTime, _ node: NodeIncarnation) {
        self.time = time
        self.node = node
    }

    package static func < (left: ClaimStamp, right: ClaimStamp) -> Bool {
        (left.time, left.node) < (right.time, right.node)
    }

    package var description: String { "\(time)@\(node)" }
}

/// A node's claim that it has the only session of a key, to all nodes with sessions of the user.
package struct SessionClaim: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A client has just arrived. It replaces whatever is older.
        case new
        /// The bus was away, and perhaps both sessions have begun meanwhile. The one whose client was heard more
        /// recently stays.
        case again(idle: Milliseconds)
    }

    package var key: SessionKey
    package var stamp: ClaimStamp
    package var kind: Kind

    package init(_ key: SessionKey, _ stamp: ClaimStamp, _ kind: Kind) {
        self.key = key
        self.stamp = stamp
        self.kind = kind
    }
}

/// A node's answer to a claim.
package struct ClaimAnswer: Hashable, Sendable {
    package enum Verdict: Hashable, Sendable {
        /// No session of the key is here, or none any more; `sessions` of the user's other devices are.
        case free(sessions: Int)
        /// A session of the key is here and was told to go. `free` will follow.
        case clearing
        /// A session with a later stamp is here, for `age`.
        case outranked(by: ClaimStamp, age: Milliseconds)
        /// To a claim after the bus was away: a later session is here. The claimant has the older one, and decides.
        case holds(ClaimStamp, idle: Milliseconds)
        /// The older session stays, because its client was heard more recently. The claimed one must go.
        case outlived
    }

    package var key: SessionKey
    /// The claim that it answers.
    package var claim: ClaimStamp
    package var verdict: Verdict

    package init(_ key: SessionKey, _ claim: ClaimStamp, _ verdict: Verdict) {
        self.key = key
        self.claim = claim
        self.verdict = verdict
    }
}

/// What the claims of a shard ask of its shell.
package enum ClaimAction: Hashable, Sendable {
    /// Publish to the user's topic, and report with `told` how many others have heard it.
    case tell(SessionClaim)
    /// Send to one node.
    case answer(NodeIncarnation, ClaimAnswer)
    /// The session may continue. Unclaimed, if the bus is away or somebody hasn't answered.
    case welcome(SessionID, isClaimed: Bool)
    /// Close the session, and report with `ended` when it has left all rooms.
    case close(SessionID, CloseCode)
    /// Ask the session's edge since when its client wasn't heard, and report with `idleMeasured`.
    case measureIdle(SessionID, SessionClaims.IdlePurpose)
    /// Call `timerFired` at the time.
    case scheduleTimer(MonotonicTime)
}
