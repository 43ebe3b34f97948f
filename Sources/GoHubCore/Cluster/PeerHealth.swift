/// What a node believes of another one. Soft: nothing is ever refused or lost because of it, and whoever is heard again
/// is live again.
///
/// - `live` → `suspect` after a short silence, and back with the next word.
/// - `suspect` → after a longer silence `cutOff` if its row was renewed meanwhile, otherwise `dead`.
/// - `cutOff` → `dead` when its lease ends.
/// - `cutOff`, `dead` → `live` only when it is heard again. A `dead` one that renews its row is `cutOff`.
/// - Any of them → ended (`PeerChange.ended`) when it says goodbye or another life has its name. There is no way back.
package enum PeerHealth: Hashable, Sendable {
    case live
    /// Late: nobody waits for its answers.
    case suspect
    /// Not heard on the bus, but alive by its row: it serves its clients and stores messages, and can't tell. Its users
    /// stay present, and all nodes ask the store for news while it is so.
    case cutOff
    /// Its users aren't present, and the rooms of this node are compared with the store: it may have stored something
    /// that it didn't tell.
    case dead

    /// Whether its users count as present.
    package var isPresent: Bool { self != .dead }
    /// Whether an answer is worth waiting for.
    package var isAnswering: Bool { self == .live }
}

/// A judgement on a peer that has changed.
package enum PeerChange: Hashable, Sendable {
    /// A node that wasn't known. What it has is asked for.
    case appeared(NodeID)
    case changed(NodeID, from: PeerHealth, to: PeerHealth)
    /// It is over for good: by goodbye, or because another life has its name.
    case ended(NodeID)
    /// There are more nodes than `nodesMax`; this one is ignored.
    case ignored(NodeID)
}

/// How a node stands in its cluster, for its own readiness.
package enum NodeStanding: Hashable, Sendable {
    /// Nobody else has a lease.
    case alone
    /// The bus works, or there is none.
    case connected
    /// The bus is away for everybody who says so. Service goes on, later.
    case degraded
    /// The bus is away for this node alone, or it is linked to another one than the others: clients should go to them.
    case cutOff
}
