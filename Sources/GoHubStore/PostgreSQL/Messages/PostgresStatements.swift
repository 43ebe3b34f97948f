internal import GoHubCore

/// The statements that each connection prepares.
enum PostgresStatements {
    // MARK: Writing

    /// The statements of an append, run in order in one transaction. Each sees everything committed before it began, so
    /// the statements after the lock see everything that the other nodes have done under it.
    static let writing: [PostgresConnection.Command] = [
        // In the same order on all nodes, so that two that create the same rooms don't deadlock.
        .prepare(
            name: "make_rooms",
            sql: """
                INSERT INTO gohub_room (tenant, name, epoch, head)
                SELECT wanted.tenant, wanted.name, (SELECT epoch FROM gohub_database), 0
                FROM unnest($1::text[], $2::text[]) AS wanted (tenant, name)
                WHERE NOT EXISTS (
                    SELECT FROM gohub_room room WHERE room.tenant = wanted.tenant AND room.name = wanted.name)
                ORDER BY wanted.tenant COLLATE "C", wanted.name COLLATE "C"
                ON CONFLICT (tenant, name) DO NOTHING
                """, [.textArray, .textArray]),
        // The lock ends with the commit: its next holder assigns the next offsets. In the same order again. The heads
        // are those left by the last holder.
        .prepare(
            name: "lock_rooms",
            sql: """
                SELECT \(PostgresWriter.RoomColumn.list) FROM gohub_room room
                JOIN unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (tenant, name, place)
                    ON room.tenant = wanted.tenant AND room.name = wanted.name
                ORDER BY room.number
                FOR NO KEY UPDATE OF room
                """, [.textArray, .textArray]),
        .prepare(
            name: "append_new",
            sql: "SELECT gohub_append_new($1, $2, $3, $4, \(MessageColumns.placeholders(after: 5)), $5)",
            MessageColumns.types(after: [.textArray, .textArray, .bigintArray, .bigintArray, .bigint])),
        // $4 is now, $5 the beginning of the idempotency window.
        .prepare(
            name: "append",
            sql: """
                WITH wanted AS MATERIALIZED (
                    SELECT wanted.place, room.number, room.epoch, room.head
                    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (tenant, name, place)
                    JOIN gohub_room room ON room.tenant = wanted.tenant AND room.name = wanted.name
                ), draft AS MATERIALIZED (
                    SELECT draft.*, wanted.number, wanted.epoch,
                        known."offset" AS known_offset, known.at AS known_at,
                        wanted.head + count(*) FILTER (WHERE known."offset" IS NULL)
                            OVER (PARTITION BY wanted.number ORDER BY draft.place) AS "offset"
                    FROM unnest($3::bigint[], \(MessageColumns.placeholders(after: 5)))
                        WITH ORDINALITY AS draft (room, \(MessageColumns.ofDraft), place)
                    JOIN wanted ON wanted.place = draft.room
                    LEFT JOIN LATERAL (
                        SELECT command."offset", command.at FROM gohub_command command
                        WHERE command.room = wanted.number AND command.sender = draft.sender
                            AND command.id = draft.id AND command.stored_at > $5
                        LIMIT 1
                    ) known ON true
                ), stored AS (
                    INSERT INTO gohub_message (room, "offset", \(MessageColumns.ofDraft))
                    SELECT number, "offset", \(MessageColumns.ofDraft) FROM draft WHERE known_offset IS NULL
                ), noted AS (
                    INSERT INTO gohub_command (room, sender, id, "offset", at, stored_at)
                    SELECT number, sender, id, "offset", at, $4 FROM draft WHERE known_offset IS NULL
                    ON CONFLICT (room, sender, id) DO UPDATE
                    SET "offset" = excluded."offset", at = excluded.at, stored_at = excluded.stored_at
                ), moved AS (
                    UPDATE gohub_room SET head = newest."offset"
                    FROM (
                        SELECT number, max("offset") AS "offset" FROM draft WHERE known_offset IS NULL GROUP BY number
                    ) newest
                    WHERE gohub_room.number = newest.number
                )
                SELECT \(PostgresWriter.OutcomeColumn.list)
                FROM draft ORDER BY place
                """,
            MessageColumns.types(after: [.textArray, .textArray, .bigintArray, .bigint, .bigint])),
        // In the same order on all nodes. An offset never decreases, whoever writes last. $7 are `FollowColumn`s, of
        // which the last explicit one counts; $8 is now. A join is recorded again after a while.
        .prepare(
            name: "receipts",
            sql: """
                WITH note AS MATERIALIZED (
                    SELECT room.number AS room, note.reader, room.tenant, max(note.delivered) AS delivered,
                        max(note.seen) AS seen,
                        coalesce((array_agg(note.follows ORDER BY note.place DESC)
                            FILTER (WHERE note.follows <> 0))[1], 0) AS follows
                    FROM unnest(
                        $1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[]
                    ) WITH ORDINALITY AS note (tenant, name, epoch, reader, delivered, seen, follows, place)
                    JOIN gohub_room room ON room.tenant = note.tenant AND room.name = note.name
                    WHERE room.epoch = note.epoch AND room.head >= note.delivered
                    GROUP BY room.number, note.reader
                ), stored AS (
                    INSERT INTO gohub_receipt AS known (room, reader, tenant, delivered, seen, is_followed, followed_at)
                    SELECT room, reader, tenant, delivered, seen, follows <> 2,
                        CASE follows WHEN 1 THEN $8::bigint WHEN 2 THEN -1 ELSE 0 END
                    FROM note
                    WHERE follows <> 2 OR delivered > 0 OR EXISTS (
                        SELECT FROM gohub_receipt mine WHERE mine.room = note.room AND mine.reader = note.reader)
                    ORDER BY room, reader COLLATE "C"
                    ON CONFLICT (room, reader) DO UPDATE
                    SET delivered = greatest(known.delivered, excluded.delivered),
                        seen = greatest(known.seen, excluded.seen),
                        is_followed = CASE excluded.followed_at WHEN 0 THEN known.is_followed
                            ELSE excluded.is_followed END,
                        followed_at = CASE WHEN excluded.followed_at > 0 THEN excluded.followed_at
                            ELSE known.followed_at END
                    WHERE excluded.delivered > known.delivered OR excluded.seen > known.seen
                        OR (known.is_followed AND NOT excluded.is_followed)
                        OR (excluded.followed_at > 0 AND (NOT known.is_followed
                            OR known.followed_at <= excluded.followed_at - \(Following.refreshInterval.value)))
                )
                SELECT
                """,
            [
                .textArray, .textArray, .textArray, .textArray, .bigintArray, .bigintArray, .bigintArray, .bigint,
            ]),
    ]

    // MARK: Mutes and bans

    /// The server's clock in milliseconds: it decides when mutes and bans end, whichever node wrote them.
    static let now = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

    static let sanctions: [PostgresConnection.Command] = [
        // One writer at a time over all nodes, because a room's sanctions are counted.
        .prepare(
            name: "lock_sanctions",
            sql: "SELECT pg_advisory_xact_lock(\(PostgresSchema.sanctionsLock), hashtext(current_schema()))", []),
        // The rule of `SanctionNote.Outcome.decide`: 1 stands for `banned`, 2 for `tooMany`, 0 for `stored`. $4 is 1
        // for a ban, 0 for a mute, $5 its length, $6 the maximum number of users of the room.
        .prepare(
            name: "impose",
            sql: """
                WITH clock AS MATERIALIZED (SELECT \(now) AS now), known AS MATERIALIZED (
                    SELECT sanction.is_ban, sanction.until - clock.now AS remaining
                    FROM gohub_sanction sanction, clock
                    WHERE sanction.tenant = $1 AND sanction.room = $2 AND sanction.target = $3
                        AND sanction.until > clock.now
                ), verdict AS MATERIALIZED (
                    SELECT CASE
                        WHEN $4::bigint = 0 AND EXISTS (SELECT FROM known WHERE known.is_ban) THEN 1
                        WHEN NOT EXISTS (SELECT FROM known) AND (
                            SELECT count(*) FROM gohub_sanction sanction
                            WHERE sanction.tenant = $1 AND sanction.room = $2 AND sanction.until > clock.now
                        ) >= $6::bigint THEN 2
                        ELSE 0 END::bigint AS verdict
                    FROM clock
                ), stored AS (
                    INSERT INTO gohub_sanction (tenant, room, target, is_ban, until)
                    SELECT $1, $2, $3, $4 <> 0, clock.now + $5::bigint FROM clock, verdict WHERE verdict.verdict = 0
                    ON CONFLICT (tenant, room, target) DO UPDATE
                    SET is_ban = excluded.is_ban, until = excluded.until
                ), unfollowed AS (
                    UPDATE gohub_receipt SET is_followed = false FROM gohub_room room, verdict
                    WHERE verdict.verdict = 0 AND $4 <> 0 AND room.tenant = $1 AND room.name = $2
                        AND gohub_receipt.room = room.number AND gohub_receipt.reader = $3
                )
                SELECT \(PostgresWriter.VerdictColumn.list) FROM verdict
                """, [.text, .text, .text, .bigint, .bigint, .bigint]),
        .prepare(
            name: "pardon",
            sql: """
                DELETE FROM gohub_sanction WHERE tenant = $1 AND room = $2 AND target = $3 RETURNING until > \(now)
                """, [.text, .text, .text]),
    ]

    // MARK: Reading

    /// A page, its room's head and epoch, in one statement and therefore consistent. A room without messages is one row
    /// of head and epoch, a room that nobody has written to is no row.
    static let reading: [PostgresConnection.Command] = [
        .prepare(
            name: "before", sql: page(comparison: "<", order: "DESC"), [.text, .text, .bigint, .bigint, .bigint]),
        .prepare(name: "after", sql: page(comparison: ">", order: "ASC"), [.text, .text, .bigint, .bigint, .bigint]),
        .prepare(name: "epoch", sql: "SELECT epoch FROM gohub_database", []),
        .prepare(
            name: "room_receipts",
            sql: """
                SELECT \(PostgresReader.ReceiptColumn.list)
                FROM gohub_room room JOIN gohub_receipt known ON known.room = room.number
                WHERE room.tenant = $1 AND room.name = $2 LIMIT $3
                """, [.text, .text, .bigint, .bigint]),
        .prepare(
            name: "room_sanctions",
            sql: """
                SELECT \(PostgresReader.SanctionColumn.list)
                FROM (SELECT \(now) AS now) clock
                JOIN gohub_sanction known ON known.tenant = $1 AND known.room = $2 AND known.until > clock.now
                LIMIT $3
                """, [.text, .text, .bigint]),
        // $3 is the name before the first result, $4 the maximum number; $5 and $6 are the names and the prefixes of
        // names that the grants cover. Direct conversations are open to users with a receipt in them. OFFSET 0 keeps
        // the planner from scanning all rooms in the order of their names, in the hope that the user's are among the
        // first.
        .prepare(
            name: "rooms",
            sql: """
                SELECT \(PostgresReader.RoomColumn.list), \(MessageColumns.ofMessage("message"))
                FROM (
                    SELECT known.* FROM (
                        SELECT room.number, room.name, room.epoch, room.head, known.delivered, known.seen
                        FROM gohub_receipt known JOIN gohub_room room ON room.number = known.room
                        WHERE known.tenant = $1 AND known.reader = $2 AND known.is_followed OFFSET 0
                    ) known
                    WHERE known.name > $3
                        AND NOT EXISTS (
                            SELECT FROM gohub_sanction sanction
                            WHERE sanction.tenant = $1 AND sanction.room = known.name AND sanction.target = $2
                                AND sanction.is_ban AND sanction.until > \(now))
                        AND (starts_with(known.name, 'dm:') OR known.name = ANY ($5::text[])
                            OR EXISTS (SELECT FROM unnest($6::text[]) prefix WHERE starts_with(known.name, prefix)))
                    ORDER BY known.name LIMIT $4
                ) mine
                LEFT JOIN LATERAL (
                    SELECT * FROM gohub_message
                    WHERE gohub_message.room = mine.number ORDER BY gohub_message."offset" DESC LIMIT 1
                ) message ON true
                ORDER BY mine.name
                """, [.text, .text, .text, .bigint, .textArray, .textArray]),
    ]

    /// $3 is the offset, $4 the maximum number of entries, $5 the maximum of bytes: the first entry above it is still
    /// returned, and one after a first entry that exceeds it alone, so that its existence is known.
    private static func page(comparison: String, order: String) -> String {
        """
        SELECT \(PostgresReader.PageColumn.list), \(MessageColumns.ofEntry("page"))
        FROM gohub_room room
        LEFT JOIN LATERAL (
            SELECT sized.* FROM (
                SELECT entry.*, sum(entry.bytes) OVER (ORDER BY entry."offset" \(order)) - entry.bytes AS bytes_before,
                    row_number() OVER (ORDER BY entry."offset" \(order)) AS place
                FROM (
                    SELECT united.*, octet_length(united.text) + coalesce(octet_length(united.amendments), 0)
                        + coalesce(octet_length(united.files), 0) AS bytes
                    FROM (
                        (
                            SELECT \(MessageColumns.entryOfMessage)
                            FROM gohub_message
                            WHERE gohub_message.room = room.number AND gohub_message."offset" \(comparison) $3
                            ORDER BY "offset" \(order) LIMIT $4
                        ) UNION ALL (
                            SELECT \(MessageColumns.entryOfChange)
                            FROM gohub_fact fact
                            WHERE fact.room = room.number AND fact."offset" \(comparison) $3
                            ORDER BY fact."offset" \(order) LIMIT $4
                        )
                    ) united
                    ORDER BY united."offset" \(order) LIMIT $4
                ) entry
            ) sized WHERE sized.bytes_before <= $5 OR sized.place <= 2
        ) page ON true
        WHERE room.tenant = $1 AND room.name = $2
        ORDER BY page."offset" \(order)
        """
    }

    // MARK: Sweeping

    static let sweeping: [PostgresConnection.Command] = [
        // One node at a time; the schema's half of the lock excludes hubs in other schemas.
        .prepare(
            name: "begin_sweep",
            sql: "SELECT pg_try_advisory_lock(\(PostgresSchema.sweepLock), hashtext(current_schema()))", []),
        .prepare(
            name: "end_sweep",
            sql: "SELECT pg_advisory_unlock(\(PostgresSchema.sweepLock), hashtext(current_schema()))", []),
        // Expired mutes and bans, at most $1. One that is being changed is skipped.
        .prepare(
            name: "remove_ended_sanctions",
            sql: """
                DELETE FROM gohub_sanction WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM gohub_sanction WHERE until <= \(now) LIMIT $1 FOR UPDATE SKIP LOCKED))
                RETURNING 1
                """, [.bigint]),
        // From $3 pages starting at $2, in physical order. A command that is being stored again is skipped.
        .prepare(
            name: "forget",
            sql: """
                DELETE FROM gohub_command WHERE ctid = ANY (ARRAY(
                    SELECT ctid FROM gohub_command
                    WHERE stored_at <= $1 AND ctid >= format('(%s,0)', $2)::tid
                        AND ctid < format('(%s,0)', $2 + $3)::tid
                    FOR UPDATE SKIP LOCKED))
                """, [.bigint, .bigint, .bigint]),
        .prepare(
            name: "count_pages",
            sql: "SELECT pg_relation_size('gohub_command') / current_setting('block_size')::bigint", []),
        // For $2 rooms after $1 the oldest messages, at most $3 of each, up to the first that must be kept: one of the
        // newest $4, and not older than $5. Never one between kept messages.
        .prepare(
            name: "find_old",
            sql: """
                SELECT \(PostgresSweep.OldColumn.list)
                FROM (SELECT number, head FROM gohub_room WHERE number > $1 ORDER BY number LIMIT $2) room
                CROSS JOIN LATERAL (
                    SELECT max(oldest."offset") AS "offset", count(*) AS messages
                    FROM (
                        SELECT message."offset",
                            bool_or(message."offset" > room.head - $4 AND message.at >= $5)
                                OVER (ORDER BY message."offset") AS is_kept
                        FROM (
                            SELECT united."offset", united.at
                            FROM (
                                (
                                    SELECT "offset", at FROM gohub_message
                                    WHERE gohub_message.room = room.number ORDER BY "offset" LIMIT $3
                                ) UNION ALL (
                                    SELECT "offset", at FROM gohub_fact
                                    WHERE gohub_fact.room = room.number ORDER BY "offset" LIMIT $3
                                )
                            ) united
                            ORDER BY united."offset" LIMIT $3
                        ) message
                    ) oldest
                    WHERE NOT oldest.is_kept
                ) old
                ORDER BY room.number
                """, [.bigint, .bigint, .bigint, .bigint, .bigint]),
        // One room at a time: for several in one statement the planner may choose to read the whole table.
        .prepare(
            name: "remove_old", sql: "DELETE FROM gohub_message WHERE room = $1 AND \"offset\" <= $2",
            [.bigint, .bigint]),
        .prepare(
            name: "remove_old_facts", sql: "DELETE FROM gohub_fact WHERE room = $1 AND \"offset\" <= $2",
            [.bigint, .bigint]),
        .prepare(
            name: "remove_old_reactions", sql: "DELETE FROM gohub_reaction WHERE room = $1 AND target <= $2",
            [.bigint, .bigint]),
    ]
}
