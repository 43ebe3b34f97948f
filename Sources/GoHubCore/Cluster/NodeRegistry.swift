/// A reading of the database's clock. Leases are compared on it alone: no node's clock takes part.
package struct StoreTime: Hashable, Comparable, Sendable {
    /// Milliseconds since 1970-01-01 UTC, as the database has it.
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    package static func < (left: StoreTime, right: StoreTime) -> Bool { left.milliseconds < right.milliseconds }

    package static func + (time: StoreTime, duration: Milliseconds) -> StoreTime {
        let (sum, isOver) = time.milliseconds.addingReportingOverflow(Int64(clamping: duration.value))
        return StoreTime(milliseconds: isOver ? .max : sum)
    }

    /// The time from an earlier reading to this one; 0 when the other isn't earlier.
    package func since(_ earlier: StoreTime) -> Milliseconds {
        guard earlier < self else { return 0 }
        let (difference, isOver) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return Milliseconds(isOver ? .max : UInt64(clamping: difference))
    }
}

/// What a node says of itself in its row.
package struct NodeStatus: Hashable, Sendable {
    /// Whether the node has closed its door to new clients.
    package var isDraining = false
    /// Whether the node's link to the bus is healthy; `nil` without a bus.
    package var isBusHealthy: Bool?
    /// The identity of the bus that the node is linked to, such as Redis' `run_id`. Two nodes with different ones don't
    /// hear each other.
    package var busID: String?

    package init(isDraining: Bool = false, isBusHealthy: Bool? = nil, busID: String? = nil) {
        self.isDraining = isDraining
        self.isBusHealthy = isBusHealthy
        self.busID = busID
    }
}

/// A row of the registry.
package struct NodeRow: Hashable, Sendable {
    package var node: NodeID
    package var leaseEnd: StoreTime
    package var status: NodeStatus

    package init(_ node: NodeID, leaseEnd: StoreTime, _ status: NodeStatus = NodeStatus()) {
        self.node = node
        self.leaseEnd = leaseEnd
        self.status = status
    }
}

/// All rows as one statement has read them, with the database's clock at that moment.
package struct RegistryReading: Hashable, Sendable {
    package var now: StoreTime
    package var rows: [NodeRow]

    package init(now: StoreTime, rows: [NodeRow]) {
        self.now = now
        self.rows = rows
    }
}

/// The rows of a cluster's nodes, and the rules by which a node gets, keeps and loses its name.
///
/// The store in memory keeps them in this value; the durable stores do the same in one statement each.
package struct NodeRegistry: Sendable {
    package enum Outcome: Hashable, Sendable {
        /// The name is the node's until the time, unless it is renewed.
        case granted(until: StoreTime)
        /// Granted, after the node's lease had ended. Others may have judged it dead: it must compare its rooms with
        /// the store, and claim its sessions again.
        case grantedLate(until: StoreTime)
        /// Another life has the name until the time.
        case refused(by: NodeID, until: StoreTime)
        /// There are too many nodes.
        case full
    }

    private let nodesMax: Int
    private let lease: Milliseconds
    private var rows: [NodeName: NodeRow] = [:]

    package init(limits: ClusterLimits) {
        nodesMax = limits.nodesMax
        lease = limits.lease
    }

    /// Handles a node that begins, or renews its lease.
    ///
    /// A name whose lease has ended is anybody's. So a node that stood still for longer than its lease, while another
    /// one took its name, is refused and must end: two nodes with one name would take each other's messages for their
    /// own.
    package mutating func renew(_ node: NodeID, _ status: NodeStatus = NodeStatus(), now: StoreTime) -> Outcome {
        let until = now + lease
        let row = rows[node.name]
        if let row, row.node != node, now < row.leaseEnd { return .refused(by: row.node, until: row.leaseEnd) }
        if row == nil, rows.count >= nodesMax {
            for (name, row) in rows where row.leaseEnd <= now { rows[name] = nil }
            guard rows.count < nodesMax else { return .full }
        }
        rows[node.name] = NodeRow(node, leaseEnd: until, status)
        let isLate = row.map { $0.node == node && $0.leaseEnd <= now } ?? false
        return isLate ? .grantedLate(until: until) : .granted(until: until)
    }

    /// Handles a node that ends in good order: its name is free at once.
    ///
    /// - Returns: whether the row was still the node's.
    @discardableResult
    package mutating func leave(_ node: NodeID) -> Bool {
        guard rows[node.name]?.node == node else { return false }
        rows[node.name] = nil
        return true
    }

    /// All rows, also those whose lease has ended, ordered by name.
    package func read(now: StoreTime) -> RegistryReading {
        RegistryReading(now: now, rows: rows.values.sorted { $0.node < $1.node })
    }
}
