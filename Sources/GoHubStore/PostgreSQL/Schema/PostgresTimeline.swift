internal import GoHubCore

/// Gives all rooms new epochs when another server has taken over, which may not have everything that hubs have
/// acknowledged.
///
/// A replica that becomes the primary begins a new timeline, and so does a recovery from an archive (PostgreSQL
/// documentation, "Timelines"). The offsets of lost messages are given again, so they must not be in
/// the old epoch: a client that has the lost message 10 would take the next message 10 for the same one.
///
/// All rooms, because what was lost can't be known from what is left: a room whose last messages were lost looks like
/// one in which nobody has written since.
enum PostgresTimeline {
    /// The server's timeline: the first eight digits of the name of the log file that it writes. Unlike
    /// `pg_control_checkpoint()`, it is up to date right after a promotion.
    private static let current = "left(pg_walfile_name(pg_current_wal_lsn()), 8)"

    /// Compares the server's timeline with the database's, before the connection's first append.
    ///
    /// A replica isn't checked. A connection that writes must not be to one: it would stay when the replica is
    /// promoted, without having been checked.
    ///
    /// - Parameter purpose: the connection's; only a writing one warns of a server that can't be checked.
    static func check(
        _ connection: PostgresConnection, _ options: PostgresOptions, for purpose: PostgresOptions.Purpose
    ) throws(PostgresFailure) {
        let rows: [PostgresResult]
        do throws(PostgresFailure) {
            rows = try connection.run(
                [
                    .sql(
                        """
                        SELECT coalesce(gohub_database.timeline = \(current), false) FROM gohub_database
                        WHERE NOT pg_is_in_recovery()
                        """)
                ], deadline: .now() + options.patience)
        } catch {
            // Some hosted servers don't allow these functions.
            guard !error.endsConnection, [.denied, .incompatible].contains(error.error.code) else { throw error }
            if purpose == .writing {
                options.report(.warning("\(error.error.message) So a failover that loses messages is not noticed."))
            }
            return
        }
        // No row: a replica.
        guard let same = rows.first, same.rows == 1, !same.flag(0, 0) else { return }
        try change(connection, options)
    }

    /// - Throws: for a server that is a replica.
    static func requirePrimary(
        _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) {
        let rows = try connection.run([.sql("SELECT pg_is_in_recovery()")], deadline: deadline)
        guard rows.first?.flag(0, 0) == true else { return }
        throw PostgresFailure(
            error: StoreError(
                .unavailable,
                "PostgreSQL: the server is a replica, which cannot be written to. The URL must lead to the primary: "
                    + "with several hosts, add target_session_attrs=read-write.", mayBeStored: false),
            endsConnection: true)
    }

    /// Stores the server's timeline; if the database had another one, with new epochs.
    ///
    /// Concurrent connections wait for each other at the row, and the later ones find nothing to do. No append is in
    /// progress: every connection that appends has been here before.
    private static func change(
        _ connection: PostgresConnection, _ options: PostgresOptions
    ) throws(PostgresFailure) {
        // It takes as long as the number of rooms requires.
        let deadline = MonotonicTime.now() + options.migrationTimeout
        let locked = try connection.run(
            [
                .sql("BEGIN"), .sql("SET LOCAL statement_timeout = 0"),
                .sql("SELECT timeline, \(current) FROM gohub_database FOR UPDATE"),
            ], deadline: deadline)
        guard let row = locked.last, row.rows == 1, row.isNull(0, 0) || row.text(0, 0) != row.text(0, 1) else {
            _ = try connection.run([.sql("COMMIT")], deadline: deadline)
            return
        }
        let store = "UPDATE gohub_database SET timeline = \(current)"
        // A database of an earlier version: nothing is known of its past.
        if row.isNull(0, 0) {
            _ = try connection.run([.sql(store), .sql("COMMIT")], deadline: deadline)
            return
        }
        _ = try connection.run(
            [
                .sql("\(store), epoch = left(replace(gen_random_uuid()::text, '-', ''), 16)"),
                .sql("UPDATE gohub_room SET epoch = gohub_database.epoch FROM gohub_database"), .sql("COMMIT"),
            ], deadline: deadline)
        options.report(
            .warning(
                "PostgreSQL: another server has taken over, or a backup was restored (timeline \(row.text(0, 0)), now "
                    + "\(row.text(0, 1))). The last acknowledged messages may be lost. All rooms have a new epoch, so "
                    + "clients load them again."))
    }
}
