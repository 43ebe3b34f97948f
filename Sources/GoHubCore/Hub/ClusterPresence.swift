/// A room's presence beyond this node: this node's users as the others hear of them, and the others' users.
///
/// A user is present who has a session in the room on any node. So a change here or there is news to the members only
/// if nobody else has the user.
struct ClusterPresence: Sendable {
    /// Whether the other nodes with members have told theirs.
    private enum Knowledge: Sendable {
        /// The question isn't published, or its receivers aren't known yet.
        case asked
        case missing(answers: Int)
        case complete
    }

    var source: PresenceSource
    var others: RoomPresence
    /// Users who are in the room here and on another node.
    var overlap = 0
    /// Whether a timer is set for the next update.
    var isTelling = false
    /// The time of the timer for `others`; other timers are stale.
    var due: MonotonicTime?
    private var knowledge = Knowledge.complete
    /// The nodes that have answered before the bus has said how many there are.
    private var answered: Set<NodeIncarnation> = []

    init(start: HybridTime, limits: ClusterLimits) {
        source = PresenceSource(start: start)
        others = RoomPresence(limits: limits)
    }

    /// Whether some node's users are not known.
    var isPartial: Bool {
        if case .complete = knowledge { return others.isPartial }
        return true
    }

    mutating func asked() {
        knowledge = .asked
        answered = []
    }

    /// - Parameter receivers: the nodes that get the question; `nil` if the bus can't count them.
    mutating func askedNodes(_ receivers: Int?) {
        guard case .asked = knowledge else { return }
        let missing = (receivers ?? 0) - answered.count
        knowledge = missing > 0 ? .missing(answers: missing) : .complete
    }

    mutating func noteAnswer(of node: NodeIncarnation) {
        guard answered.insert(node).inserted, case .missing(let answers) = knowledge else { return }
        knowledge = answers > 1 ? .missing(answers: answers - 1) : .complete
    }

    /// Nobody else will answer.
    mutating func endAsking() { knowledge = .complete }
}
