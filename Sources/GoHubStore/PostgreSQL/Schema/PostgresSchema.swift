internal import GoHubCore

/// The tables, and how a database gets from any older version to this one. Forward only. `Docs/Durability.md` says why
/// the tables are as they are.
///
/// They are in the first schema of the connection's `search_path`. Names are compared by their bytes (collation "C").
enum PostgresSchema {
    /// Numbers of advisory locks; the second half is the schema's.
    static let migrationLock = 0x476F_4862
    static let sweepLock = 0x476F_4863
    static let filesLock = 0x476F_4864
    static let sanctionsLock = 0x476F_4865

    static var version: Int { PostgresMigrations.all.count }

    /// Migrates a database to this version. Nodes that start at once do it one after the other.
    static func migrate(_ connection: PostgresConnection, deadline: MonotonicTime) throws(PostgresFailure) {
        guard try found(connection, deadline) != version else { return }
        _ = try connection.run(
            [
                .sql("BEGIN"),
                // A migration may take long, and so may waiting for one.
                .sql("SET LOCAL statement_timeout = 0"),
                .sql("SELECT pg_advisory_xact_lock(\(migrationLock), hashtext(current_schema()))"),
                .sql("CREATE TABLE IF NOT EXISTS gohub_schema (version integer PRIMARY KEY)"),
            ], deadline: deadline)
        // Another node may have done it in the meantime.
        let found = try found(connection, deadline)
        var commands: [PostgresConnection.Command] = []
        for (index, migration) in PostgresMigrations.all.enumerated().dropFirst(found) {
            commands += migration.map { .sql($0) }
            commands.append(.sql("INSERT INTO gohub_schema (version) VALUES (\(index + 1))"))
        }
        _ = try connection.run(commands + [.sql("COMMIT")], deadline: deadline)
    }

    /// - Throws: for a version that is newer than this one.
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
                    "PostgreSQL: the database was written by a newer version of GoHub (its schema is \(found), and "
                        + "this "
                        + "version supports schemas up to \(version)). Use that version."), endsConnection: true)
        }
        return found
    }
}
