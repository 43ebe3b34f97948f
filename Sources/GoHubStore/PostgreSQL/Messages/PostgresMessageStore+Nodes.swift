package import GoHubCore

/// The registry of a cluster's nodes.
///
/// The writing connection serves it. A lease then says that its node can write, which is what the others want to know;
/// the database is the primary, and the reading connection may have thousands of pages waiting before it. It costs the
/// messages one small transaction in five seconds.
extension PostgresMessageStore {
    /// Begins a node's life, or renews its lease. The completion is called once, on the store's thread.
    package func renew(_ renewal: NodeRenewal, completion: @escaping NodeRenewal.Completion) {
        put(.renew(renewal, completion))
    }

    /// Ends a node's life in good order: its name is free at once.
    ///
    /// - Parameter completion: receives whether the row was still the node's.
    package func leave(_ node: NodeID, completion: @escaping @Sendable (Result<Bool, StoreError>) -> Void) {
        put(.leave(node, completion))
    }

    private func put(_ request: PostgresNodes.Request) {
        // Without weight: a node has one of them at a time, and a queue full of messages must not end its lease.
        let refusal = writing.queue.put(.nodes(request), weight: 0, deadline: writing.deadline)
        if let refusal { PostgresNodes.refuse(request, refusal.error) }
    }
}
