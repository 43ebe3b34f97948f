internal import GoHubCore

/// The tables, and the migration from any older version to this one. Forward only. `Docs/Durability.md` explains their
/// design.
///
/// The tables are in the first schema of the connection's `search_path`. Names are compared by bytes (collation "C").
enum PostgresSchema {
    /// The numbers of advisory locks, the first half of their keys; the second half is the schema's.
    static let migrationLock = 0x476F_4862
    static let sweepLock = 0x476F_4863
    static let filesLock = 0x476F_4864
    static let sanctionsLock = 0x476F_4865

    static var version: Int { PostgresMigrations.all.count }

    /// Migrates a database to this version. Concurrently starting nodes migrate one after the other.
    static func migrate(_ connection: PostgresConnection, deadline: MonotonicTime) throws(PostgresFailure) {
        guard try found(connection, deadline) != version else { return }
        _ = try connection.run(
            [
                .sql("BEGIN"),
                // A migration may take long, and so may waiting for another node's.
                .sql("SET LOCAL statement_timeout = 0"),
                .sql("SELECT pg_advisory_xact_lock(\(migrationLock), hashtext(current_schema()))"),
                .sql("CREATE TABLE IF NOT EXISTS gohub_schema (version integer PRIMARY KEY)"),
            ], deadline: deadline)
        // Another node may have migrated while this one waited for the lock.
        let found = try found(connection, deadline)
        var commands: [PostgresConnection.Command] = []
        for (index, migration) in PostgresMigrations.all.enumerated().dropFirst(found) {
            commands += migration.map { .sql($0) }
            commands.append(.sql("INSERT INTO gohub_schema (version) VALUES (\(index + 1))"))
        }
        _ = try connection.run(commands + [.sql("COMMIT")], deadline: deadline)
    }

    /// - Throws: for a version newer than this one.
    private static func found(
        _ connection: PostgresConnection, _ deadline: MonotonicTime
    ) throws(PostgresFailure) -> Int {
        let exists = try connection.run(
            [.sql("SELECT to_regclass('gohub_schema') IS NOT NULL")], deadline: deadline)
        guard exists.first?.flag(0, 0) == true else { return 0 }
        let rows = try connection.run(
            [.sql("SELECT coalesce(max(version), 0)::bigint FROM gohub_schema")], deadline: deadline)
        let found = Int(clamping: rows.first?.integer(0, 0) ?? 0)
        guard (0...version).contains(found) else {
            throw PostgresFailure(
                error: StoreError(
                    .incompatible,
                    "PostgreSQL: the database was written by a newer version of GoHub (its schema is \(found), and "
                        + "this "
                        + "version supports schemas up to \(version)). Use that version."), endsConnection: true)
        }
        return found
    }
}
