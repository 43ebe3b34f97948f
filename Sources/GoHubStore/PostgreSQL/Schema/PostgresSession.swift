internal import GoHubCore

/// What every connection needs before its statements.
enum PostgresSession {
    /// - Parameter warn: is told of settings of the server's that break our promises, and aren't ours to change.
    static func prepare(
        _ connection: PostgresConnection, _ options: PostgresOptions, warn: (String) -> Void
    ) throws(PostgresFailure) {
        // Locks of a node that hangs, or that nobody hears any more, are given up in time.
        let timeout = options.patience.value
        let settings = [
            "statement_timeout": "\(timeout)", "idle_in_transaction_session_timeout": "\(timeout)",
            "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
            // Each statement sees what was committed before it: what the lock on a room's head is for.
            "default_transaction_isolation": "read committed", "jit": "off", "client_min_messages": "error",
            // Every statement looks rows up by their keys. A plan that was made while the tables were small must not go
            // on reading them whole.
            "enable_seqscan": "off",
        ].map { "set_config('\($0.key)', '\($0.value)', false)" }
        let deadline = MonotonicTime.now() + options.patience
        let results = try connection.run(
            [
                .sql("SELECT \(settings.joined(separator: ", "))"),
                // Who turned it off for speed has not thought of us: what was acknowledged would be lost in a crash.
                .sql(
                    """
                    SELECT set_config('synchronous_commit', 'on', false)
                    WHERE current_setting('synchronous_commit') = 'off'
                    """),
                .sql("SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'"),
            ], deadline: deadline)
        guard let off = results.last else { return }
        for row in 0..<off.rows {
            warn("PostgreSQL runs with \(off.text(row, 0)) = off: a crash of its machine loses what was acknowledged")
        }
        try PostgresSchema.migrate(connection, deadline: .now() + options.migrationTimeout)
    }
}
