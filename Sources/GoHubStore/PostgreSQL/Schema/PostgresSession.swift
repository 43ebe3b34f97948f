internal import GoHubCore

/// The setup of every connection before its statements.
enum PostgresSession {
    /// - Parameter purpose: the connection's. The writing one warns of server settings that break our guarantees and
    ///   that we can't change.
    static func prepare(
        _ connection: PostgresConnection, _ options: PostgresOptions, for purpose: PostgresOptions.Purpose
    ) throws(PostgresFailure) {
        // Makes the server release the locks of a hung or unreachable node in time.
        let timeout = options.patience.value
        let settings = [
            "statement_timeout": "\(timeout)", "idle_in_transaction_session_timeout": "\(timeout)",
            "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
            // Each statement sees everything committed before it, which is the purpose of the lock on a room's head.
            "default_transaction_isolation": "read committed", "jit": "off", "client_min_messages": "error",
            // Every statement looks rows up by their keys. A plan made while the tables were small must not keep
            // reading them whole.
            "enable_seqscan": "off",
        ].map { "set_config('\($0.key)', '\($0.value)', false)" }
        let deadline = MonotonicTime.now() + options.patience
        let results = try connection.run(
            [
                .sql("SELECT \(settings.joined(separator: ", "))"),
                // An operator may have turned this off for other data: then a crash would lose acknowledged messages.
                .sql(
                    """
                    SELECT set_config('synchronous_commit', 'on', false)
                    WHERE current_setting('synchronous_commit') = 'off'
                    """),
                .sql("SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'"),
            ], deadline: deadline)
        if purpose == .writing {
            for off in results.suffix(1) {
                for row in 0..<off.rows {
                    options.report(
                        .warning(
                            "PostgreSQL runs with \(off.text(row, 0)) = off: a crash of its machine loses acknowledged "
                                + "messages"))
                }
            }
            try PostgresTimeline.requirePrimary(connection, deadline: deadline)
        }
        try PostgresSchema.prepare(connection, options, deadline: .now() + options.migrationTimeout)
        try PostgresTimeline.check(connection, options, for: purpose)
    }
}
