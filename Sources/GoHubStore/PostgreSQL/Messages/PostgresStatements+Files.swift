extension PostgresStatements {
    /// The statements of messages with files, run in the transaction of their batch, and those that release the files
    /// of removed messages. All of them run under the file lock, which is taken before every other: see
    /// `PostgresFileTables`.
    static let files: [PostgresConnection.Command] = [
        PostgresFileTables.lock,
        .prepare(
            name: "look_up_files",
            sql: "SELECT \(FileColumns.ofFile) FROM gohub_file WHERE id = ANY ($1::text[])", [.textArray]),
        .prepare(
            name: "add_message",
            sql: """
                INSERT INTO gohub_message (room, "offset", \(MessageColumns.ofDraft), files)
                SELECT $1, $2, \(MessageColumns.ofDraft), $3
                FROM unnest(\(MessageColumns.placeholders(after: 3))) AS draft (\(MessageColumns.ofDraft))
                """,
            MessageColumns.types(after: [.bigint, .bigint, .text])),
        .prepare(
            name: "hold_files",
            sql: """
                WITH noted AS (
                    INSERT INTO gohub_message_file (room, "offset", file) SELECT $1, $2, unnest($3::text[])
                )
                UPDATE gohub_file SET uses = uses + 1 WHERE id = ANY ($3::text[])
                """, [.bigint, .bigint, .textArray]),
        // For the messages of room $1 from $2 to $3; $4 is now.
        .prepare(
            name: "release_files",
            sql: """
                WITH gone AS (
                    DELETE FROM gohub_message_file WHERE room = $1 AND "offset" BETWEEN $2 AND $3 RETURNING file
                )
                UPDATE gohub_file SET uses = greatest(0, uses - gone.messages),
                    unused_since = CASE WHEN uses > gone.messages THEN unused_since ELSE $4 END
                FROM (SELECT file AS id, count(*) AS messages FROM gone GROUP BY file) gone
                WHERE gohub_file.id = gone.id
                """, [.bigint, .bigint, .bigint, .bigint]),
        .prepare(
            name: "clear",
            sql: """
                UPDATE gohub_message SET amendments = $3, text = '', files = NULL WHERE room = $1 AND "offset" = $2
                """, [.bigint, .bigint, .text]),
    ]
}
