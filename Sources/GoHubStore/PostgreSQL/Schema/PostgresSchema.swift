internal import GoHubCore

/// The version of the tables, and the migration from any older version to this one. Forward only.
/// `Docs/Durability.md` explains their design.
///
/// The tables are in the first schema of the connection's `search_path`. Names are compared by bytes (collation "C").
///
/// `gohub_schema` has a row for each migration, with the oldest version whose hubs can use the tables after it. So the
/// hubs of a release go on while those of the next one start, and an update can be taken back.
enum PostgresSchema {
    /// The numbers of advisory locks, the first half of their keys; the second half is the schema's.
    static let migrationLock = 0x476F_4862
    static let sweepLock = 0x476F_4863
    static let filesLock = 0x476F_4864
    static let sanctionsLock = 0x476F_4865
    static let registryLock = 0x476F_4866

    static var version: Int { PostgresMigrations.all.count }

    /// The time that a migration waits for a table that others use. Everything that wants the table waits behind the
    /// migration, so a migration gives up, and is tried again, when a long transaction such as a backup holds one.
    private static let tableWait: Milliseconds = 5_000

    /// Prepares a connection: migrates an older database, unless the options forbid it.
    ///
    /// - Throws: for a newer schema that this version can't use, and for an older one that isn't to be migrated.
    static func prepare(
        _ connection: PostgresConnection, _ options: PostgresOptions, deadline: MonotonicTime
    ) throws(PostgresFailure) {
        let status = try check(connection, options, deadline: deadline)
        if status.verdict == .needsMigration { try migrate(connection, deadline: deadline) }
    }

    /// - Throws: like `prepare`, which migrates a schema that this returns as an older one.
    static func check(
        _ connection: PostgresConnection, _ options: PostgresOptions, deadline: MonotonicTime
    ) throws(PostgresFailure) -> SchemaStatus {
        let status = try status(connection, deadline: deadline)
        switch status.verdict {
        case .current, .usable: break
        case .tooNew: throw tooNew(status)
        case .needsMigration: if !options.migrates { throw notMigrated(status) }
        }
        return status
    }

    /// Migrates a database to this version. Concurrently starting nodes migrate one after the other.
    static func migrate(_ connection: PostgresConnection, deadline: MonotonicTime) throws(PostgresFailure) {
        _ = try connection.run(
            [
                .sql("BEGIN"),
                // A migration may take long, and so may waiting for another node's.
                .sql("SET LOCAL statement_timeout = 0"),
                .sql("SELECT pg_advisory_xact_lock(\(migrationLock), hashtext(current_schema()))"),
                .sql("SET LOCAL lock_timeout = \(tableWait.value)"),
                .sql("CREATE TABLE IF NOT EXISTS gohub_schema (version integer PRIMARY KEY)"),
            ], deadline: deadline)
        // Another node, perhaps of a newer version, may have migrated while this one waited for the lock.
        let status = try status(connection, deadline: deadline)
        if status.verdict == .tooNew { throw tooNew(status) }
        var commands: [PostgresConnection.Command] = []
        for (index, migration) in PostgresMigrations.all.enumerated().dropFirst(status.found) {
            commands += migration.map { .sql($0) }
            commands.append(.sql("INSERT INTO gohub_schema (version) VALUES (\(index + 1))"))
        }
        // At the end: the first migrations know no such column.
        for (version, oldest) in PostgresMigrations.readableFrom.sorted(by: { $0.key < $1.key })
        where version > status.found {
            commands.append(.sql("UPDATE gohub_schema SET readable_from = \(oldest) WHERE version = \(version)"))
        }
        _ = try connection.run(commands + [.sql("COMMIT")], deadline: deadline)
    }

    static func status(_ connection: PostgresConnection, deadline: MonotonicTime) throws(PostgresFailure)
        -> SchemaStatus
    {
        let exists = try connection.run(
            [.sql("SELECT to_regclass('gohub_schema') IS NOT NULL")], deadline: deadline)
        guard exists.first?.flag(0, 0) == true else { return status(found: 0, readableFrom: 0) }
        // As JSON, because the table of the first versions has no such column. Their tables are for themselves alone.
        let rows = try connection.run(
            [
                .sql(
                    """
                    SELECT newest.version::bigint,
                        coalesce((to_jsonb(newest) ->> 'readable_from')::bigint, newest.version)
                    FROM gohub_schema newest ORDER BY newest.version DESC LIMIT 1
                    """)
            ], deadline: deadline)
        guard let newest = rows.first, newest.rows == 1 else { return status(found: 0, readableFrom: 0) }
        return status(
            found: Int(clamping: newest.integer(0, 0)), readableFrom: Int(clamping: newest.integer(0, 1)))
    }

    private static func status(found: Int, readableFrom: Int) -> SchemaStatus {
        SchemaStatus(found: found, wanted: version, readableFrom: readableFrom)
    }

    // MARK: Errors

    static func tooNew(_ status: SchemaStatus) -> PostgresFailure {
        PostgresFailure(
            error: StoreError(
                .incompatible,
                "PostgreSQL: the database was written by a newer version of GoHub: its schema is \(status.found), for "
                    + "versions with schema \(status.readableFrom) or later, and this version has schema "
                    + "\(status.wanted). Use a newer version."),
            endsConnection: true)
    }

    private static func notMigrated(_ status: SchemaStatus) -> PostgresFailure {
        PostgresFailure(
            error: StoreError(
                .incompatible,
                "PostgreSQL: the database has schema \(status.found), and this version needs schema \(status.wanted). "
                    + "Run `gohubd migrate`, or set store.migrate to auto."),
            endsConnection: true)
    }
}
