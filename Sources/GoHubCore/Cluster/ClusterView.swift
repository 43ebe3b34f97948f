/// What a node knows of the cluster, as far as its rooms need it. Each shard gets a copy when it changes.
package struct ClusterView: Hashable, Sendable {
    /// The other nodes that may write to the store: all but the dead ones, ordered by name.
    package var peers: [NodeName]
    /// Raised when every room must be compared with the store soon, because news may have been lost: a peer has died,
    /// or this node's own lease had ended.
    package var comparisons: UInt64
    /// Whether a bus tells of the other nodes' entries, so that the store needn't be polled.
    package var hasBus: Bool

    package init(peers: [NodeName] = [], comparisons: UInt64 = 0, hasBus: Bool = false) {
        self.peers = peers
        self.comparisons = comparisons
        self.hasBus = hasBus
    }
}
