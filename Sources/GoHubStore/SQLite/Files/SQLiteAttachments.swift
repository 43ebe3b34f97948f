internal import GoHubCore

/// The files of messages, inside the writer's transaction. Belongs to the store's writing thread.
///
/// A file's row counts the messages with it, and `message_file` lists them: retention uses it to find the files to
/// release. The descriptions of files are in `message.files`, so that a page needs no second look-up.
final class SQLiteAttachments {
    private let files: SQLiteFileTables
    private let describe: SQLiteStatement
    private let note: SQLiteStatement
    private let count: SQLiteStatement
    private let countOff: SQLiteStatement
    private let forget: SQLiteStatement

    init(_ connection: SQLiteConnection, _ files: SQLiteFileTables) throws(StoreError) {
        self.files = files
        describe = try connection.prepare("UPDATE message SET files = ?3 WHERE room = ?1 AND \"offset\" = ?2")
        note = try connection.prepare("INSERT INTO message_file (room, \"offset\", file) VALUES (?1, ?2, ?3)")
        count = try connection.prepare("UPDATE file SET uses = uses + 1 WHERE id = ?1")
        countOff = try connection.prepare(
            """
            UPDATE file SET uses = max(0, uses - gone.messages),
                unused_since = CASE WHEN uses > gone.messages THEN unused_since ELSE ?4 END
            FROM (
                SELECT file AS id, count(*) AS messages FROM message_file
                WHERE room = ?1 AND "offset" BETWEEN ?2 AND ?3 GROUP BY file
            ) gone
            WHERE file.id = gone.id
            """)
        forget = try connection.prepare(
            "DELETE FROM message_file WHERE room = ?1 AND \"offset\" BETWEEN ?2 AND ?3")
    }

    /// - Returns: `nil` unless all of them exist and are in that room.
    func find(_ references: [FileReference], in room: RoomID) throws(StoreError) -> [AttachedFile]? {
        var found: [FileID: StoredFile] = [:]
        for reference in references {
            do throws(FileError) {
                guard let file = try files.file(reference.id)?.file, file.room == room else { return nil }
                found[file.id] = file
            } catch {
                throw StoreError(error)
            }
        }
        return references.attached(found)
    }

    /// Attaches files to a message that was just stored.
    func hold(_ files: [AttachedFile], room: Int64, offset: Int64) throws(StoreError) {
        try set(files.encoded, room, offset)
        try note.bind(room, offset)
        for file in files {
            try note.bind(file.id.value, at: 3)
            try note.run()
            try count.run(file.id.value)
        }
    }

    /// Removes the files of a deleted message.
    func clear(room: Int64, offset: Int64, now: WallTime) throws(StoreError) {
        try set(nil, room, offset)
        try release(room: room, offset...offset, now: now)
    }

    /// Releases the files of messages that are or will be removed.
    func release(room: Int64, _ offsets: ClosedRange<Int64>, now: WallTime) throws(StoreError) {
        for statement in [countOff, forget] {
            try statement.bind(room, offsets.lowerBound, offsets.upperBound)
        }
        try countOff.bind(now.milliseconds, at: 4)
        try countOff.run()
        try forget.run()
    }

    private func set(_ files: String?, _ room: Int64, _ offset: Int64) throws(StoreError) {
        try describe.run(room, offset, files)
    }
}
