package import GoHubCore

extension PostgresMessageStore {
    /// The schema of a database, read with a connection of its own. Changes nothing.
    package static func schemaStatus(
        url: String, options: Options = Options()
    ) async throws(StoreError) -> SchemaStatus {
        try await PostgresTask.run(url, options) { connection throws(PostgresFailure) in
            try PostgresSchema.status(connection, deadline: .now() + options.patience)
        }
    }

    /// Checks that a store can use the schema of a database. Changes nothing.
    ///
    /// - Throws: what the store would report.
    package static func checkSchema(url: String, options: Options) async throws(StoreError) {
        try await PostgresTask.run(url, options) { connection throws(PostgresFailure) in
            _ = try PostgresSchema.check(connection, options, deadline: .now() + options.patience)
        }
    }

    /// Migrates a database to this version, if it is older.
    ///
    /// - Returns: the status before.
    /// - Throws: also for a schema that is too new.
    package static func migrate(
        url: String, options: Options = Options()
    ) async throws(StoreError) -> SchemaStatus {
        try await PostgresTask.run(url, options) { connection throws(PostgresFailure) in
            let deadline = MonotonicTime.now() + options.migrationTimeout
            let status = try PostgresSchema.status(connection, deadline: deadline)
            switch status.verdict {
            case .current, .usable: break
            case .needsMigration: try PostgresSchema.migrate(connection, deadline: deadline)
            case .tooNew: throw PostgresSchema.tooNew(status)
            }
            return status
        }
    }
}
