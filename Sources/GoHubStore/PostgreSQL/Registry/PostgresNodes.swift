internal import GoHubCore

/// The rows of a cluster's nodes: the rules of `NodeRegistry`, by the database's clock.
///
/// One node at a time writes to them, under an advisory lock, so that each sees what the ones before it did.
enum PostgresNodes {
    enum Request: Sendable {
        case renew(NodeRenewal, NodeRenewal.Completion)
        case leave(NodeID, @Sendable (Result<Bool, StoreError>) -> Void)
    }

    static func refuse(_ request: Request, _ error: StoreError) {
        switch request {
        case .renew(_, let completion): completion(.failure(error))
        case .leave(_, let completion): completion(.failure(error))
        }
    }

    static func serve(
        _ request: Request, _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) {
        do throws(PostgresFailure) {
            switch request {
            case .renew(let renewal, let completion):
                let results = try connection.transaction(
                    [
                        .run(name: "lock_nodes", []), command(renewal), .run(name: "nodes", []),
                        .sql(PostgresNewsPlace.start),
                    ], deadline: deadline)
                // There are as many results as commands.
                completion(answer(renewal, results[1], results[2], PostgresNewsPlace(startingAt: results[3])?.cursor))
            case .leave(let node, let completion):
                let rows = try connection.transaction(
                    [
                        .run(name: "lock_nodes", []),
                        .run(name: "leave", [.text(node.name.value), .bigint(number(node.incarnation))]),
                    ], deadline: deadline)
                completion(.success(rows[1].rows > 0))
            }
        } catch {
            refuse(request, error.error)
            throw error
        }
    }

    // MARK: Statements

    private enum VerdictColumn: Int, ResultColumn {
        case verdict, until, holder, heldUntil, placementKey

        var sql: String {
            switch self {
            case .verdict: "verdict.verdict"
            case .until: "clock.now + $3"
            case .holder: "coalesce((SELECT known.incarnation FROM known), 0)::bigint"
            case .heldUntil: "coalesce((SELECT known.lease_end FROM known), 0)::bigint"
            case .placementKey: "gohub_database.placement_key"
            }
        }
    }

    private enum NodeColumn: Int, ResultColumn {
        case now, name, incarnation, leaseEnd, isDraining, isBusHealthy, busID

        var sql: String {
            switch self {
            case .now: "clock.now"
            case .name, .incarnation: "node.\(self)"
            case .leaseEnd: "node.lease_end"
            case .isDraining: "node.is_draining"
            case .isBusHealthy: "node.is_bus_healthy"
            case .busID: "node.bus_id"
            }
        }
    }

    /// The server's clock in milliseconds.
    static let now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

    static let statements: [PostgresConnection.Command] = [
        .prepare(
            name: "lock_nodes",
            sql: "SELECT pg_advisory_xact_lock(\(PostgresSchema.registryLock), hashtext(current_schema()))", []),
        // `NodeRegistry.renew`: 0 and 1 stand for `granted` and `grantedLate`, 2 for `refused`, 3 for `full`. $3 is the
        // lease, $4 the maximum number of nodes. $6, $8 and $9 are arrays of one element, which may be NULL.
        .prepare(
            name: "renew",
            sql: """
                WITH clock AS MATERIALIZED (SELECT \(now) AS now), known AS MATERIALIZED (
                    SELECT node.incarnation, node.lease_end, node.lease_end > clock.now AS is_live
                    FROM gohub_node node, clock WHERE node.name = $1
                ), counted AS MATERIALIZED (
                    SELECT count(*) AS nodes, count(*) FILTER (WHERE node.lease_end > clock.now) AS live
                    FROM gohub_node node, clock
                ), verdict AS MATERIALIZED (
                    SELECT CASE
                        WHEN EXISTS (SELECT FROM known WHERE known.incarnation <> $2 AND known.is_live) THEN 2
                        WHEN NOT EXISTS (SELECT FROM known) AND counted.live >= $4 THEN 3
                        WHEN EXISTS (SELECT FROM known WHERE known.incarnation = $2 AND NOT known.is_live) THEN 1
                        ELSE 0 END::bigint AS verdict
                    FROM counted
                ), removed AS (
                    DELETE FROM gohub_node USING clock, counted
                    WHERE counted.nodes >= $4 AND NOT EXISTS (SELECT FROM known) AND gohub_node.lease_end <= clock.now
                ), stored AS (
                    INSERT INTO gohub_node AS node
                        (name, incarnation, lease_end, started, version, url, is_draining, is_bus_healthy, bus_id)
                    SELECT $1, $2, clock.now + $3, clock.now, $5, ($6::text[])[1], $7 <> 0, ($8::bigint[])[1] <> 0,
                        ($9::text[])[1]
                    FROM clock, verdict WHERE verdict.verdict < 2
                    ON CONFLICT (name) DO UPDATE
                    SET incarnation = excluded.incarnation, lease_end = excluded.lease_end,
                        started = CASE WHEN node.incarnation = excluded.incarnation THEN node.started
                            ELSE excluded.started END,
                        version = excluded.version, url = excluded.url, is_draining = excluded.is_draining,
                        is_bus_healthy = excluded.is_bus_healthy, bus_id = excluded.bus_id
                )
                SELECT \(VerdictColumn.list) FROM clock, verdict, gohub_database
                """,
            [.text, .bigint, .bigint, .bigint, .text, .textArray, .bigint, .bigintArray, .textArray]),
        .prepare(
            name: "nodes",
            sql: """
                SELECT \(NodeColumn.list)
                FROM (SELECT \(now) AS now) clock, gohub_node node ORDER BY node.name
                """, []),
        .prepare(
            name: "leave", sql: "DELETE FROM gohub_node WHERE name = $1 AND incarnation = $2 RETURNING 1",
            [.text, .bigint]),
    ]

    private static func command(_ renewal: NodeRenewal) -> PostgresConnection.Command {
        let status = renewal.status
        return .run(
            name: "renew",
            [
                .text(renewal.node.name.value), .bigint(number(renewal.node.incarnation)),
                // Half of the range, so that adding it to the time can't overflow.
                .bigint(min(Int64(clamping: renewal.lease.value), .max / 2)), .bigint(Int64(renewal.nodesMax)),
                .text(renewal.version), .texts([renewal.url]), .bigint(status.isDraining ? 1 : 0),
                .bigints([status.isBusHealthy.map { $0 ? 1 : 0 }]), .texts([status.busID]),
            ])
    }

    private static func number(_ incarnation: NodeIncarnation) -> Int64 { Int64(bitPattern: incarnation.value) }

    // MARK: Answers

    private static func answer(
        _ renewal: NodeRenewal, _ verdict: PostgresResult, _ nodes: PostgresResult,
        _ directNews: DirectNews.Cursor?
    ) -> Result<NodeRenewal.Answer, StoreError> {
        guard verdict.rows == 1, let directNews,
            let key = PlacementKey(verdict.byteArray(0, VerdictColumn.placementKey.rawValue))
        else {
            return .failure(
                StoreError(
                    .corrupt,
                    "PostgreSQL: the row of gohub_database is missing or damaged. Restore the tables from a backup."))
        }
        let answer = PostgresRow<VerdictColumn>(verdict, 0)
        let until = StoreTime(milliseconds: answer.integer(.until))
        var reading = RegistryReading(now: until, rows: [])
        for row in nodes.each(NodeColumn.self) {
            guard let name = NodeName(row.text(.name)), let incarnation = incarnation(row.integer(.incarnation)) else {
                return .failure(.corruptRow("node", in: "PostgreSQL"))
            }
            let status = NodeStatus(
                isDraining: row.flag(.isDraining),
                isBusHealthy: row.isNull(.isBusHealthy) ? nil : row.flag(.isBusHealthy),
                busID: row.optionalText(.busID))
            reading.now = StoreTime(milliseconds: row.integer(.now))
            reading.rows.append(
                NodeRow(
                    NodeID(name: name, incarnation: incarnation),
                    leaseEnd: StoreTime(milliseconds: row.integer(.leaseEnd)), status))
        }
        reading.rows.sort { $0.node < $1.node }
        let outcome: NodeRegistry.Outcome
        switch answer.integer(.verdict) {
        case 0: outcome = .granted(until: until)
        case 1: outcome = .grantedLate(until: until)
        case 2:
            guard let holder = incarnation(answer.integer(.holder)) else {
                return .failure(.corruptRow("node", in: "PostgreSQL"))
            }
            outcome = .refused(
                by: NodeID(name: renewal.node.name, incarnation: holder),
                until: StoreTime(milliseconds: answer.integer(.heldUntil)))
        default: outcome = .full
        }
        return .success(
            NodeRenewal.Answer(
                outcome: outcome, reading: reading, placementKey: key, directNews: directNews))
    }

    private static func incarnation(_ number: Int64) -> NodeIncarnation? {
        NodeIncarnation(UInt64(bitPattern: number))
    }
}
