/// The statements that the catalog's connection prepares.
extension PostgresFileTables {
    private static let byKey = "tenant = $1 AND room = $2 AND owner = $3 AND command = $4"

    /// The schema's half of the lock lets hubs in other schemas continue.
    static let lock = PostgresConnection.Command.prepare(
        name: "lock_files",
        sql: "SELECT pg_advisory_xact_lock(\(PostgresSchema.filesLock), hashtext(current_schema()))", [])

    static let statements: [PostgresConnection.Command] = [
        lock,

        .prepare(name: "find_upload", sql: "SELECT \(FileColumns.ofUpload) FROM gohub_upload WHERE id = $1", [.text]),
        .prepare(
            name: "find_upload_by_key", sql: "SELECT \(FileColumns.ofUpload) FROM gohub_upload WHERE \(byKey)",
            [.text, .text, .text, .text]),
        // A parameter can't be NULL here: the empty text, which is no hash, stands for it.
        .prepare(
            name: "add_upload",
            sql: """
                INSERT INTO gohub_upload (\(FileColumns.ofUpload))
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, nullif($9, ''), $10, nullif($11, ''))
                """,
            [.text, .text, .text, .text, .text, .text, .text, .bigint, .text, .bigint, .text]),
        .prepare(
            name: "update_upload",
            sql: "UPDATE gohub_upload SET touched_at = $2, claim = nullif($3, '') WHERE id = $1",
            [.text, .bigint, .text]),
        .prepare(name: "remove_upload", sql: "DELETE FROM gohub_upload WHERE id = $1", [.text]),
        .prepare(
            name: "old_uploads",
            sql: "SELECT \(FileColumns.ofUpload) FROM gohub_upload WHERE touched_at <= $1 ORDER BY touched_at LIMIT $2",
            [.bigint, .bigint]),

        .prepare(name: "find_file", sql: "SELECT \(FileColumns.ofFile) FROM gohub_file WHERE id = $1", [.text]),
        .prepare(
            name: "find_file_by_key", sql: "SELECT \(FileColumns.ofFile) FROM gohub_file WHERE \(byKey)",
            [.text, .text, .text, .text]),
        .prepare(
            name: "add_file",
            sql: """
                INSERT INTO gohub_file (
                    id, tenant, room, owner, command, name, type, size, blob, created_at, uses, unused_since)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                """,
            [
                .text, .text, .text, .text, .text, .text, .text, .bigint, .text, .bigint, .bigint, .bigint,
            ]),
        .prepare(
            name: "describe_file",
            sql: "UPDATE gohub_file SET width = $2, height = $3, placeholder = $4, has_preview = $5 WHERE id = $1",
            [.text, .bigint, .bigint, .text, .bigint]),
        .prepare(name: "remove_file", sql: "DELETE FROM gohub_file WHERE id = $1", [.text]),
        .prepare(
            name: "unused_files",
            sql: """
                SELECT \(FileColumns.ofFile) FROM gohub_file WHERE uses = 0 AND unused_since <= $1
                ORDER BY unused_since LIMIT $2
                """, [.bigint, .bigint]),

        .prepare(
            name: "find_usage", sql: "SELECT bytes, uploads FROM gohub_file_usage WHERE tenant = $1 AND owner = $2",
            [.text, .text]),
        .prepare(
            name: "change_usage",
            sql: """
                INSERT INTO gohub_file_usage AS known (tenant, owner, bytes, uploads)
                VALUES ($1, $2, greatest(0, $3), greatest(0, $4))
                ON CONFLICT (tenant, owner) DO UPDATE
                SET bytes = greatest(0, known.bytes + $3), uploads = greatest(0, known.uploads + $4)
                """, [.text, .text, .bigint, .bigint]),

        .prepare(name: "find_blob", sql: "SELECT origin FROM gohub_blob WHERE hash = $1", [.text]),
        .prepare(
            name: "add_blob", sql: "INSERT INTO gohub_blob (hash, origin, uses) VALUES ($1, $2, 0)", [.text, .text]),
        .prepare(
            name: "change_uses", sql: "UPDATE gohub_blob SET uses = uses + $2 WHERE hash = $1", [.text, .bigint]),
        .prepare(
            name: "remove_blobs",
            sql: """
                DELETE FROM gohub_blob WHERE hash IN (SELECT hash FROM gohub_blob WHERE uses <= 0 LIMIT $1)
                RETURNING hash, origin
                """, [.bigint]),
    ]
}
