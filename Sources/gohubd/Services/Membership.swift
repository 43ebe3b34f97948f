internal import GoHubCore
internal import GoHubStore

/// What this hub knows of its cluster: its own name, which it keeps by renewing a lease, and the other nodes.
///
/// A value without I/O. `MembershipService` performs what it decides.
///
/// - `joining` → `member` when the name is granted; → `over` when another live node has it.
/// - `member` → `over` when another life has taken the name. There is no way back: this process ends.
struct Membership {
    enum Action: Hashable {
        /// Renew the lease, and report the answer with `renewed`. One at a time.
        case renew(NodeStatus)
        /// Tell the rooms of this hub.
        case update(ClusterView)
        /// Tell all nodes that this one lives.
        case beat(NodeStatus)
        /// Tell all nodes that this one's link was away.
        case tellReturn
        /// The name is granted, and the rooms have been told: clients may come.
        case joined
        case log(Event)
        /// End the process in order, with this error.
        case end(String)
    }

    /// For the log.
    enum Event: Hashable {
        case joined(NodeID)
        /// An earlier life of this node may have the name until its lease ends.
        case waitsForName(NodeID)
        case failed(StoreError)
        case renewedLate
        /// Other nodes are cut off from the bus, or this one is.
        case standing(NodeStanding)
        /// The calendar of the other node is ahead by the time, or behind if it is negative.
        case clockDiffers(NodeID, milliseconds: Int64)
        case appeared(NodeID)
        case isGone(NodeID)
        case ignored(NodeID)
    }

    private enum Phase {
        case joining
        case member
        case over
    }

    /// The time between two tries while the database doesn't answer, or an earlier life has the name.
    private static let retryAfter: Milliseconds = 1_000
    /// In milliseconds, with the time that a beat takes.
    private static let clockDifferenceMax: UInt64 = 1_000

    private let own: NodeID
    private let limits: ClusterLimits
    private var phase = Phase.joining
    /// The life that had the name when it was first refused.
    private var holder: (node: NodeID, until: StoreTime)?
    private var peers: PeerRegistry
    private var view = ClusterView()
    /// `nil` before the hub has joined.
    private var told: ClusterView?
    private var status = NodeStatus()
    private var isRenewing = false
    private var renewAt = MonotonicTime(nanoseconds: 0)
    private var hasFailed = false
    /// As it was logged.
    private var standing = NodeStanding.alone
    /// At the last tick.
    private var lastStanding = NodeStanding.alone
    /// Whether the link has come back since the last tick. The shards go on publishing before that tick.
    private var hasReturned = false
    /// The nodes whose calendar was reported.
    private var reportedClocks: Set<NodeIncarnation> = []
    private var hasIgnored = false

    /// - Parameter hasBus: whether this node has a bus, which begins without a link.
    init(own: NodeID, hasBus: Bool = false, limits: ClusterLimits = ClusterLimits()) {
        self.own = own
        if hasBus { status.isBusHealthy = false }
        self.limits = limits
        peers = PeerRegistry(own: own, limits: limits)
    }

    /// Called about once a second.
    mutating func ticked(isDraining: Bool, now: MonotonicTime) -> [Action] {
        if case .over = phase { return [] }
        var actions: [Action] = []
        var changes: [PeerChange] = []
        peers.ticked(now: now, into: &changes)
        note(changes, into: &actions)
        tell(into: &actions)
        if status.isDraining != isDraining {
            // The others should know at once.
            status.isDraining = isDraining
            renewAt = now
        }
        if status.isBusHealthy == true {
            actions.append(.beat(status))
            if hasReturned { actions.append(.tellReturn) }
            hasReturned = false
        }
        if status.isBusHealthy != nil { noteStanding(into: &actions) }
        // A peer is silent on the bus, and its row may say why.
        if peers.wantsReading { renewAt = now }
        if !isRenewing, renewAt <= now {
            isRenewing = true
            actions.append(.renew(status))
        }
        return actions
    }

    mutating func renewed(_ result: Result<NodeRenewal.Answer, StoreError>, now: MonotonicTime) -> [Action] {
        isRenewing = false
        var actions: [Action] = []
        switch result {
        case .failure(let error): failed(error, now: now, into: &actions)
        case .success(let answer): answered(answer, now: now, into: &actions)
        }
        return actions
    }

    // MARK: The bus

    /// Handles a change of this node's link.
    ///
    /// - Parameter busID: the server that it leads to; `nil` if it has no identity.
    mutating func linkChanged(isUp: Bool, busID: String?, now: MonotonicTime) -> [Action] {
        if case .over = phase { return [] }
        var actions: [Action] = []
        (status.isBusHealthy, status.busID) = (isUp, isUp ? busID : nil)
        peers.linkChanged(status, now: now)
        // The others should know at once.
        renewAt = now
        tell(into: &actions)
        hasReturned = isUp
        if isUp { actions.append(.beat(status)) }
        return actions
    }

    /// Handles another node's message to all.
    mutating func received(_ frame: ClusterFrame, now: MonotonicTime, at wall: WallTime) -> [Action] {
        var actions: [Action] = []
        var changes: [PeerChange] = []
        switch frame.message {
        case .beat(let beat):
            let node = NodeID(name: beat.name, incarnation: frame.from)
            peers.heard(node, now: now, into: &changes)
            compareClocks(beat.wall, of: node, at: wall, into: &actions)
        case .returned:
            view.comparisons += 1
            peers.heard(frame.from, now: now, into: &changes)
        case .bye:
            if let node = (peers.present.first { $0.incarnation == frame.from }) {
                peers.saidGoodbye(node, now: now, into: &changes)
            }
        default: peers.heard(frame.from, now: now, into: &changes)
        }
        note(changes, into: &actions)
        tell(into: &actions)
        return actions
    }

    /// The calendars differ by more than tokens and timestamps should.
    private mutating func compareClocks(
        _ theirs: WallTime, of node: NodeID, at wall: WallTime, into actions: inout [Action]
    ) {
        guard peers.health(of: node.incarnation) != nil, reportedClocks.count < limits.nodesMax else { return }
        let (difference, isOver) = theirs.milliseconds.subtractingReportingOverflow(wall.milliseconds)
        guard isOver || difference.magnitude > Self.clockDifferenceMax else { return }
        guard reportedClocks.insert(node.incarnation).inserted else { return }
        actions.append(.log(.clockDiffers(node, milliseconds: difference)))
    }

    /// The servers that the other nodes' buses lead to, with repetitions.
    var busIDs: [String] { peers.busIDs }

    // MARK: Answers

    private mutating func failed(_ error: StoreError, now: MonotonicTime, into actions: inout [Action]) {
        peers.registryFailed()
        renewAt = now + Self.retryAfter
        if case .joining = phase, error.code == .incompatible {
            // Waiting doesn't help.
            phase = .over
            actions.append(.end(error.message))
            return
        }
        if !hasFailed { actions.append(.log(.failed(error))) }
        hasFailed = true
    }

    private mutating func answered(
        _ answer: NodeRenewal.Answer, now: MonotonicTime, into actions: inout [Action]
    ) {
        hasFailed = false
        switch answer.outcome {
        case .granted, .grantedLate:
            holder = nil
            var hasJoined = false
            if case .joining = phase {
                phase = .member
                hasJoined = true
                view.directNews = answer.directNews
                actions.append(.log(.joined(own)))
            } else if case .grantedLate = answer.outcome {
                // The others may have judged this node dead, and it may have missed what they told.
                view.comparisons += 1
                actions.append(.log(.renewedLate))
            }
            renewAt = now + limits.renewEvery
            var changes: [PeerChange] = []
            // The own row was granted just now, so nobody else has the name.
            _ = peers.registryRead(answer.reading, now: now, into: &changes)
            note(changes, into: &actions)
            tell(into: &actions)
            if hasJoined { actions.append(.joined) }
        case .refused(let holder, let until): refused(holder, until, now: now, into: &actions)
        case .full:
            phase = .over
            actions.append(
                .end(
                    "The database has \(limits.nodesMax) live hubs, which is the maximum. Stop one, or use another "
                        + "database."))
        }
    }

    private mutating func refused(
        _ node: NodeID, _ until: StoreTime, now: MonotonicTime, into actions: inout [Action]
    ) {
        renewAt = now + Self.retryAfter
        // Nobody may stand behind the row: a process that was killed leaves its lease behind, and a replica that was
        // behind when it became the primary has the row of an earlier life. Such a lease isn't renewed.
        guard let known = holder else {
            holder = (node, until)
            actions.append(.log(.waitsForName(node)))
            return
        }
        guard known.node != node || until > known.until else { return }
        let wasMember = if case .member = phase { true } else { false }
        phase = .over
        actions.append(
            .end(
                wasMember
                    ? "Another hub has taken the node name \(own.name), while this one did not reach the database for "
                        + "longer than its lease. Give each hub its own `node`."
                    : "Another hub with the node name \(own.name) is live in this database. Give each hub its own "
                        + "`node`."))
    }

    /// Logs a standing that has lasted for a tick: a link that comes back at once is no news.
    private mutating func noteStanding(into actions: inout [Action]) {
        defer { lastStanding = peers.standing }
        guard peers.standing == lastStanding, peers.standing != standing else { return }
        standing = peers.standing
        actions.append(.log(.standing(standing)))
    }

    // MARK: Peers

    private mutating func note(_ changes: [PeerChange], into actions: inout [Action]) {
        for change in changes {
            switch change {
            case .appeared(let node):
                actions.append(.log(.appeared(node)))
                // If it had another life, that may have stored something that it didn't tell.
                if status.isBusHealthy != nil { view.comparisons += 1 }
            case .ignored(let node):
                // Once: somebody may make up names.
                if !hasIgnored { actions.append(.log(.ignored(node))) }
                hasIgnored = true
            case .ended(let node), .changed(let node, from: _, to: .dead):
                view.comparisons += 1
                actions.append(.log(.isGone(node)))
            case .changed(let node, from: .dead, to: _): actions.append(.log(.appeared(node)))
            // Perhaps it has just died.
            case .changed(_, from: _, to: .suspect): if status.isBusHealthy != nil { view.comparisons += 1 }
            case .changed: break
            }
        }
    }

    private mutating func tell(into actions: inout [Action]) {
        guard case .member = phase else { return }
        // Two lives of one name are one peer.
        view.peers = Set(peers.present.map(\.name)).sorted()
        if status.isBusHealthy != nil {
            view.answering = Set(peers.answering.map(\.incarnation))
            view.silent = Set(peers.present.map(\.incarnation)).subtracting(view.answering)
        }
        view.hasBus = status.isBusHealthy == true && !peers.mustPoll
        guard view != told else { return }
        told = view
        actions.append(.update(view))
    }
}
