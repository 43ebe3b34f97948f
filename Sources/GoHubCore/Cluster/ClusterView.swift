/// What a node knows of the cluster, as far as its rooms need it. Each shard gets a copy when it changes.
package struct ClusterView: Hashable, Sendable {
    /// The other nodes that may write to the store: all but the dead ones, ordered by name.
    package var peers: [NodeName]
    /// Those of them whose answers are worth waiting for.
    package var answering: Set<NodeIncarnation>
    /// Those of them that may hear a question, and won't answer.
    package var silent: Set<NodeIncarnation>
    /// Raised when every room must be compared with the store soon, because news may have been lost: a peer has died,
    /// or this node's own lease had ended.
    package var comparisons: UInt64
    /// Whether a bus tells of the other nodes' entries, so that the store needn't be polled.
    package var hasBus: Bool
    /// The place in the store's list of direct news from which to read: its end before the first client came. Only the
    /// shard that gets it reads the list.
    package var directNews: DirectNews.Cursor?

    package init(
        peers: [NodeName] = [], answering: Set<NodeIncarnation> = [], silent: Set<NodeIncarnation> = [],
        comparisons: UInt64 = 0, hasBus: Bool = false, directNews: DirectNews.Cursor? = nil
    ) {
        self.peers = peers
        self.answering = answering
        self.silent = silent
        self.comparisons = comparisons
        self.hasBus = hasBus
        self.directNews = directNews
    }
}
