internal import GoHubCore

/// Detects other hubs that use the same tables and that this hub doesn't work with.
///
/// Each hub holds an advisory lock with the number of a table and its own number. Nobody waits for it: it announces the
/// hub for as long as the session lives, and `pg_locks` lists all of them. A lock left by an earlier session of the
/// same hub has its number and doesn't count.
///
/// The table says whether the hub is in the cluster. A hub in the cluster counts those that aren't. A hub that isn't in
/// it counts all others.
final class PostgresOtherHubs {
    // Tables that exist once in each set of tables.
    private static let alone = "'gohub_database'::regclass"
    private static let clustered = "'gohub_node'::regclass"
    static let interval: Milliseconds = .seconds(60)
    /// The number of checks after which the warning is repeated.
    private static let checksPerWarning = 30

    private let number: UInt32
    private let isClustered: Bool
    private let warn: (String) -> Void
    private(set) var due = MonotonicTime(nanoseconds: 0)
    private var count = 0
    private var checks = 0

    /// - Parameter warn: called when other hubs appear, and every half hour while they are present.
    init(
        number: UInt32 = .random(in: .min ... .max), isClustered: Bool = false, warn: @escaping (String) -> Void
    ) {
        self.number = number
        self.isClustered = isClustered
        self.warn = warn
    }

    /// Announces the hub in a new session.
    func announce(_ connection: PostgresConnection, deadline: MonotonicTime) throws(PostgresFailure) {
        let own = Int32(bitPattern: number)
        let table = isClustered ? Self.clustered : Self.alone
        let sql = "SELECT pg_try_advisory_lock_shared(\(table)::oid::int4, \(own))"
        _ = try connection.run([.sql(sql)], deadline: deadline)
        due = .now()
    }

    func check(_ connection: PostgresConnection, deadline: MonotonicTime) throws(PostgresFailure) {
        due = .now() + Self.interval
        // Locks with two keys have the `objsubid` 2 (PostgreSQL's documentation, pg_locks).
        let tables = isClustered ? [Self.alone] : [Self.alone, Self.clustered]
        let sql = """
            SELECT count(DISTINCT (classid, objid))::bigint FROM pg_locks
            WHERE locktype = 'advisory' AND objsubid = 2 AND objid <> \(number)
                AND classid IN (\(tables.map { $0 + "::oid" }.joined(separator: ", ")))
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
        guard let rows = try connection.run([.sql(sql)], deadline: deadline).first, rows.rows == 1 else { return }
        found(Int(clamping: rows.integer(0, 0)))
    }

    func found(_ others: Int) {
        defer { count = others }
        checks = others == count ? checks + 1 : 0
        guard others > 0, checks % Self.checksPerWarning == 0 else { return }
        let hubs = others == 1 ? "another hub uses" : "\(others) other hubs use"
        let advice =
            isClustered
            ? " without cluster.enabled. Such a hub does not ask for the messages of others, and its clients see them "
                + "late. Set cluster.enabled there, too."
            : ", and cluster.enabled is off here. So this hub does not ask for the messages of others, and clients see "
                + "them late. Set cluster.enabled on all hubs of the database, with another node name on each."
        warn("PostgreSQL: \(hubs) this database\(advice)")
    }
}
