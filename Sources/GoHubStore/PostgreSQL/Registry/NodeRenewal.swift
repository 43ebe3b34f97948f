package import GoHubCore

/// A node's request for its name, or for the name's next lease.
package struct NodeRenewal: Sendable {
    package struct Answer: Hashable, Sendable {
        package var outcome: NodeRegistry.Outcome
        /// All rows, right after the request.
        package var reading: RegistryReading
        /// The database's key of placements, the same for all nodes.
        package var placementKey: PlacementKey
        /// The end of the list of direct news at this time.
        package var directNews: DirectNews.Cursor
    }

    package typealias Completion = @Sendable (Result<Answer, StoreError>) -> Void

    package var node: NodeID
    package var status: NodeStatus
    /// The version of the node's program, for operators.
    package var version: String
    /// Where clients reach this node and no other; `nil` if nobody has said.
    package var url: String?
    package var lease: Milliseconds
    package var nodesMax: Int

    package init(
        _ node: NodeID, _ status: NodeStatus = NodeStatus(), version: String, url: String? = nil,
        limits: ClusterLimits = ClusterLimits()
    ) {
        self.node = node
        self.status = status
        self.version = version
        self.url = url
        lease = limits.lease
        nodesMax = limits.nodesMax
    }
}
