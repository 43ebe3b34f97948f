/// A node's judgements on its peers, from their beats on the bus and from their rows in the database.
///
/// Two ears, and who hears nothing judges nobody:
///
/// - **The bus.** Silence counts only while this node's own link was healthy, and only while its process was running: a
///   node that wakes from a pause has heard nobody, and that says nothing about the others.
/// - **The rows.** A lease that has ended counts only if the database could be reached for the whole length of it, by
///   this node's own row. When a database returns after a minute, all leases have ended, and nobody is dead.
///
/// All durations are measured on this node's monotonic clock, and all leases on the database's. A node without a bus
/// judges by rows alone.
package struct PeerRegistry: Sendable {
    private struct Peer: Sendable {
        var node: NodeID
        var health = PeerHealth.live
        var knownSince: MonotonicTime
        /// The last message; `nil` for a node that is known by its row alone.
        var heardAt: MonotonicTime?
        /// Whether it has been heard since it was judged silent. A judgement is only taken back for evidence.
        var isHeardSince = true
        var row: NodeRow?
    }

    /// The database's view, as long as it is reached without a break.
    private struct Ear: Sendable {
        var since: StoreTime
        var last: StoreTime
        var lastAt: MonotonicTime
    }

    private enum Lease {
        /// The times since the row was renewed and since it was read.
        case valid(age: Milliseconds, sinceReading: Milliseconds)
        case ended
        /// The database wasn't reached for long enough to tell.
        case unknown
    }

    private let own: NodeID
    private let limits: ClusterLimits
    private var peers: [NodeIncarnation: Peer] = [:]
    /// Lives that are over, with the time until which they are remembered.
    private var ended: [NodeIncarnation: MonotonicTime] = [:]
    /// The time since which the bus is heard; `nil` while it is not, or there is none.
    private var listeningSince: MonotonicTime?
    private var ear: Ear?
    private var ownStatus = NodeStatus()
    private var tickedAt: MonotonicTime?
    /// Whether the rows should be read now: a peer is silent, and the last reading is too old to tell why.
    package private(set) var wantsReading = false

    package init(own: NodeID, limits: ClusterLimits) {
        self.own = own
        self.limits = limits
    }

    // MARK: What is known

    /// `nil` for a node that isn't known, or is over.
    package func health(of node: NodeIncarnation) -> PeerHealth? { peers[node]?.health }

    /// All peers that aren't dead, ordered.
    package var present: [NodeID] {
        peers.values.filter(\.health.isPresent).map(\.node).sorted()
    }

    /// The peers whose answers are worth waiting for, ordered.
    package var answering: [NodeID] {
        peers.values.filter(\.health.isAnswering).map(\.node).sorted()
    }

    /// The buses of the other nodes, with repetitions. A node that is heard is on this one's, whatever its row still
    /// says.
    package var busIDs: [String] {
        peers.values.filter(\.health.isPresent).compactMap {
            $0.health == .live ? ownStatus.busID : $0.row?.status.busID
        }
    }

    /// Whether the store must be asked for news all the time: the bus can't tell everything.
    package var mustPoll: Bool {
        !present.isEmpty
            && (listeningSince == nil || peers.values.contains { $0.health == .cutOff || $0.health == .suspect })
    }

    /// How this node stands, by its own link and what the others' rows say.
    package var standing: NodeStanding {
        let others = peers.values.filter(\.health.isPresent)
        guard !others.isEmpty else { return .alone }
        guard ownStatus.isBusHealthy != nil else { return .connected }
        let rows = others.compactMap(\.row?.status)
        if listeningSince == nil { return rows.contains { $0.isBusHealthy == true } ? .cutOff : .degraded }
        // Nobody who lives is heard, although the own echo comes back: this is another bus than theirs.
        if others.allSatisfy({ $0.health == .cutOff }) { return .cutOff }
        let isElsewhere = rows.contains { $0.busID != nil && ownStatus.busID != nil && $0.busID != ownStatus.busID }
        return isElsewhere ? .degraded : .connected
    }

    // MARK: The bus

    /// Notes the own link.
    ///
    /// - Parameter status: what the own row says, with `isBusHealthy`.
    package mutating func linkChanged(_ status: NodeStatus, now: MonotonicTime) {
        ownStatus = status
        guard status.isBusHealthy == true else {
            listeningSince = nil
            return
        }
        listeningSince = listeningSince ?? now
    }

    /// Handles any message of a peer.
    package mutating func heard(_ node: NodeID, now: MonotonicTime, into changes: inout [PeerChange]) {
        guard admit(node, now: now, into: &changes) else { return }
        peers[node.incarnation]?.heardAt = now
        peers[node.incarnation]?.isHeardSince = true
        judge(node.incarnation, now: now, into: &changes)
    }

    /// Handles a message that has no name. One of a node that isn't known says nothing; its beat will come.
    package mutating func heard(_ node: NodeIncarnation, now: MonotonicTime, into changes: inout [PeerChange]) {
        if let peer = peers[node] { heard(peer.node, now: now, into: &changes) }
    }

    /// Handles a peer's goodbye. Its late messages change nothing.
    package mutating func saidGoodbye(_ node: NodeID, now: MonotonicTime, into changes: inout [PeerChange]) {
        end(node, now: now, into: &changes)
    }

    // MARK: The database

    /// Handles a reading of the registry, which includes the own row.
    ///
    /// - Returns: the life that has this node's name now; the node must end. `nil` in general.
    package mutating func registryRead(
        _ reading: RegistryReading, now: MonotonicTime, into changes: inout [PeerChange]
    ) -> NodeID? {
        let ownRow = reading.rows.first { $0.node.name == own.name }
        if let ownRow, ownRow.node != own, reading.now < ownRow.leaseEnd { return ownRow.node }
        listen(reading, ownRow, now: now)
        var named: [NodeName: NodeID] = [:]
        for row in reading.rows where row.node.name != own.name {
            named[row.node.name] = row.node
            // A node that was never known has nothing to lose by an ended lease.
            guard peers[row.node.incarnation] != nil || reading.now < row.leaseEnd else { continue }
            guard admit(row.node, now: now, into: &changes) else { continue }
            if let known = peers[row.node.incarnation]?.row, known.leaseEnd < row.leaseEnd, listeningSince == nil {
                peers[row.node.incarnation]?.isHeardSince = true
            }
            peers[row.node.incarnation]?.row = row
        }
        for peer in peers.values.map(\.node).sorted() {
            // Only a life that had the name before: a new one may be heard sooner than its row is read.
            if let node = named[peer.name], node != peer, peers[peer.incarnation]?.row != nil {
                end(peer, now: now, into: &changes)
            }
            // It has left, or its row was removed long after its lease.
            if named[peer.name] == nil { peers[peer.incarnation]?.row?.leaseEnd = reading.now }
        }
        judgeAll(now: now, into: &changes)
        return nil
    }

    /// Notes that the database couldn't be read, or that it couldn't be written, so that leases end without a fault of
    /// their nodes.
    package mutating func registryFailed() {
        ear = nil
    }

    /// Begins, continues or ends the time for which the database was there for everybody.
    private mutating func listen(_ reading: RegistryReading, _ ownRow: NodeRow?, now: MonotonicTime) {
        guard let ownRow, ownRow.node == own, reading.now < ownRow.leaseEnd else {
            ear = nil
            return
        }
        // A jump of the database's clock, as in a failover to another machine, is a break, too.
        guard let ear, now.since(ear.lastAt) <= limits.lease, reading.now.since(ear.last) <= limits.lease,
            reading.now >= ear.last
        else {
            self.ear = Ear(since: reading.now, last: reading.now, lastAt: now)
            return
        }
        self.ear = Ear(since: ear.since, last: reading.now, lastAt: now)
    }

    private func lease(of peer: Peer, now: MonotonicTime) -> Lease {
        guard let ear, now.since(ear.lastAt) <= limits.lease, let row = peer.row else { return .unknown }
        if ear.last < row.leaseEnd {
            let left = min(row.leaseEnd.since(ear.last).value, limits.lease.value)
            return .valid(age: Milliseconds(limits.lease.value - left), sinceReading: now.since(ear.lastAt))
        }
        return ear.since + limits.lease <= ear.last ? .ended : .unknown
    }

    // MARK: Time

    /// Called about once a second. Judgements that need time are made here.
    package mutating func ticked(now: MonotonicTime, into changes: inout [PeerChange]) {
        if let tickedAt, now.since(tickedAt) > limits.pauseAfter {
            // This process stood still. What it has missed says nothing about the others.
            if listeningSince != nil { listeningSince = now }
            ear = nil
        }
        tickedAt = now
        for (node, until) in ended where until <= now { ended[node] = nil }
        judgeAll(now: now, into: &changes)
        for peer in peers.values where peer.health == .dead {
            guard let last = peer.heardAt else {
                if case .valid = lease(of: peer, now: now) { continue }
                peers[peer.node.incarnation] = nil
                continue
            }
            if now.since(last) >= limits.rememberEndedFor { peers[peer.node.incarnation] = nil }
        }
    }

    // MARK: Judgement

    /// - Returns: whether the node is a peer now.
    private mutating func admit(_ node: NodeID, now: MonotonicTime, into changes: inout [PeerChange]) -> Bool {
        guard node.incarnation != own.incarnation, ended[node.incarnation] == nil else { return false }
        guard peers[node.incarnation] == nil else { return true }
        guard peers.count < limits.nodesMax else {
            changes.append(.ignored(node))
            return false
        }
        peers[node.incarnation] = Peer(node: node, knownSince: now)
        changes.append(.appeared(node))
        return true
    }

    private mutating func end(_ node: NodeID, now: MonotonicTime, into changes: inout [PeerChange]) {
        guard node.incarnation != own.incarnation, ended[node.incarnation] == nil else { return }
        if ended.count >= limits.nodesMax, let oldest = ended.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
            ended[oldest.key] = nil
        }
        ended[node.incarnation] = now + limits.rememberEndedFor
        if peers.removeValue(forKey: node.incarnation) != nil { changes.append(.ended(node)) }
    }

    private mutating func judgeAll(now: MonotonicTime, into changes: inout [PeerChange]) {
        wantsReading = false
        for node in peers.values.map(\.node).sorted() { judge(node.incarnation, now: now, into: &changes) }
    }

    private mutating func judge(_ node: NodeIncarnation, now: MonotonicTime, into changes: inout [PeerChange]) {
        guard let peer = peers[node] else { return }
        let judged = judgement(on: peer, now: now)
        guard judged != peer.health else { return }
        peers[node]?.health = judged
        if judged == .dead || judged == .cutOff { peers[node]?.isHeardSince = false }
        changes.append(.changed(peer.node, from: peer.health, to: judged))
    }

    private mutating func judgement(on peer: Peer, now: MonotonicTime) -> PeerHealth {
        let lease = lease(of: peer, now: now)
        guard let listeningSince else { return judgement(on: peer, byLease: lease) }
        // Silence is counted from the moment from which a message would have been heard.
        let silence = now.since(max(peer.heardAt ?? peer.knownSince, listeningSince))
        if silence < limits.silentAfter {
            if peer.isHeardSince { return silence < limits.suspectAfter ? .live : .suspect }
            // Judged silent before, and nobody could have heard it for long enough since.
            if case .ended = lease { return .dead }
            return peer.health
        }
        switch lease {
        case .ended: return .dead
        case .unknown: return peer.health == .cutOff ? .cutOff : .dead
        case .valid(let age, let sinceReading):
            // It has renewed its lease and not said a word: it lives. Both clocks are read with some delay.
            if age.value + sinceReading.value + limits.registryDelay.value < silence.value { return .cutOff }
            // Neither heard nor renewed until long after its last word: it need not be waited for until its lease ends.
            if silence.value - min(silence.value, sinceReading.value) >= limits.lateAfter.value { return .dead }
            wantsReading = true
            return peer.health
        }
    }

    private func judgement(on peer: Peer, byLease lease: Lease) -> PeerHealth {
        switch lease {
        case .unknown: return peer.health
        case .ended: return .dead
        case .valid(let age, _):
            guard peer.isHeardSince else { return peer.health }
            return age < limits.lateAfter ? .live : .suspect
        }
    }
}
