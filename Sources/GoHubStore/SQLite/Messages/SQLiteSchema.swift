internal import GoHubCore

/// The tables, and how a database gets from any older version to this one. Forward only, and frozen text: a migration
/// that has been released is never changed, and takes nothing from elsewhere.
///
/// - `room`: the head offset of each room, which stays when retention has removed its messages.
/// - `message`: ordered by room and offset, so that a page of history is contiguous in the file and needs no index.
/// - `command`: identifies repetitions, kept for the window only. No index finds expired rows: maintaining one costs
///   every message more than an occasional scan of the table.
/// - `fact`: the entries that aren't messages, each with its rank in its room, so that two look-ups count them. The
///   resulting changes of a message are in `message.amendments`, and `reaction` has the reactions by user.
/// - `receipt`: the progress of each user in each room. Its index finds a user's rooms, those with `is_followed`;
///   `followed_at` is the last recorded join.
/// - `sanction`: mutes and bans by the room's name, because a room without messages may have some, too.
/// - `upload`, `file`: the records of files; `message_file`: the messages with a file (their descriptions are in
///   `message.files`); `blob`: the number of uploads and files with the same bytes; `file_usage`: the space used by an
///   owner's files, and under the empty name by a tenant's.
///
/// All text is compared by its bytes (`BINARY`, the default).
enum SQLiteSchema {
    /// "GoHb": distinguishes a hub's database from any other.
    private static let applicationID: Int64 = 0x476F_4862

    /// The first brings a database from version 0, a new file, to version 1.
    static let migrations = [
        """
        CREATE TABLE database (
            epoch TEXT NOT NULL
        ) STRICT;
        CREATE TABLE room (
            number INTEGER PRIMARY KEY,
            tenant TEXT NOT NULL,
            name TEXT NOT NULL,
            epoch TEXT NOT NULL,
            head INTEGER NOT NULL,
            UNIQUE (tenant, name)
        ) STRICT;
        CREATE TABLE message (
            room INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            id TEXT NOT NULL,
            user TEXT NOT NULL,
            name TEXT,
            at INTEGER NOT NULL,
            text TEXT NOT NULL,
            reply_to INTEGER,
            PRIMARY KEY (room, "offset")
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE command (
            room INTEGER NOT NULL,
            user TEXT NOT NULL,
            id TEXT NOT NULL,
            "offset" INTEGER NOT NULL,
            at INTEGER NOT NULL,
            stored_at INTEGER NOT NULL,
            PRIMARY KEY (room, user, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX command_by_age ON command (stored_at);
        INSERT INTO database (epoch) VALUES (lower(hex(randomblob(8))));
        """,
        """
        CREATE TABLE receipt (
            room INTEGER NOT NULL,
            user TEXT NOT NULL,
            tenant TEXT NOT NULL,
            delivered INTEGER NOT NULL,
            seen INTEGER NOT NULL,
            PRIMARY KEY (room, user)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX receipt_by_user ON receipt (tenant, user);
        """,
        """
        ALTER TABLE message ADD COLUMN amendments TEXT;
        CREATE TABLE fact (
            room INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            id TEXT NOT NULL,
            user TEXT NOT NULL,
            name TEXT,
            at INTEGER NOT NULL,
            target INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            reaction TEXT NOT NULL,
            total INTEGER NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (room, "offset")
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE reaction (
            room INTEGER NOT NULL,
            target INTEGER NOT NULL,
            user TEXT NOT NULL,
            reaction TEXT NOT NULL,
            PRIMARY KEY (room, target, user, reaction)
        ) STRICT, WITHOUT ROWID;
        DROP INDEX IF EXISTS command_by_age;
        """,
        """
        CREATE TABLE upload (
            id TEXT PRIMARY KEY,
            tenant TEXT NOT NULL,
            room TEXT NOT NULL,
            owner TEXT NOT NULL,
            command TEXT NOT NULL,
            name TEXT NOT NULL,
            declared_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            hash TEXT,
            touched_at INTEGER NOT NULL,
            claim TEXT,
            UNIQUE (tenant, room, owner, command)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX upload_by_age ON upload (touched_at);
        CREATE TABLE file (
            id TEXT PRIMARY KEY,
            tenant TEXT NOT NULL,
            room TEXT NOT NULL,
            owner TEXT NOT NULL,
            command TEXT NOT NULL,
            name TEXT NOT NULL,
            type TEXT NOT NULL,
            size INTEGER NOT NULL,
            blob TEXT NOT NULL,
            created_at INTEGER NOT NULL,
            width INTEGER,
            height INTEGER,
            placeholder TEXT,
            has_preview INTEGER,
            uses INTEGER NOT NULL,
            unused_since INTEGER NOT NULL,
            UNIQUE (tenant, room, owner, command)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX file_unused ON file (unused_since) WHERE uses = 0;
        CREATE TABLE message_file (
            room INTEGER NOT NULL,
            "offset" INTEGER NOT NULL,
            file TEXT NOT NULL,
            PRIMARY KEY (room, "offset", file)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE blob (
            hash TEXT PRIMARY KEY,
            origin TEXT NOT NULL,
            uses INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX blob_unused ON blob (hash) WHERE uses <= 0;
        CREATE TABLE file_usage (
            tenant TEXT NOT NULL,
            owner TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            uploads INTEGER NOT NULL,
            PRIMARY KEY (tenant, owner)
        ) STRICT, WITHOUT ROWID;
        """,
        "ALTER TABLE message ADD COLUMN files TEXT",
        """
        CREATE TABLE sanction (
            tenant TEXT NOT NULL,
            room TEXT NOT NULL,
            user TEXT NOT NULL,
            is_ban INTEGER NOT NULL,
            until INTEGER NOT NULL,
            PRIMARY KEY (tenant, room, user)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX sanction_by_end ON sanction (until);
        ALTER TABLE receipt ADD COLUMN is_followed INTEGER NOT NULL DEFAULT 1;
        ALTER TABLE receipt ADD COLUMN followed_at INTEGER NOT NULL DEFAULT 0;
        """,
    ]

    static var version: Int { migrations.count }

    /// Checks that the database is a hub's and not too new, without changing it: it may belong to another program.
    ///
    /// - Returns: the version of its schema.
    @discardableResult
    static func check(_ connection: SQLiteConnection) throws(StoreError) -> Int {
        let status = try status(connection)
        guard status.verdict != .tooNew else {
            throw StoreError(
                .incompatible,
                "\(connection.path) was written by a newer version of GoHub (its schema is \(status.found), and this "
                    + "version supports schemas up to \(version)). Use that version.")
        }
        return status.found
    }

    /// A newer schema is never usable: one process has the file, so no two versions meet at it.
    ///
    /// - Throws: for a database of another program.
    static func status(_ connection: SQLiteConnection) throws(StoreError) -> SchemaStatus {
        let found = try connection.integer("PRAGMA user_version")
        switch try connection.integer("PRAGMA application_id") {
        case applicationID: break
        case 0 where found == 0:
            guard try connection.integer("SELECT count(*) FROM sqlite_master") == 0 else {
                throw notOurs(connection.path)
            }
        default: throw notOurs(connection.path)
        }
        // Only another program writes a number below 0.
        guard found >= 0 else { throw notOurs(connection.path) }
        return SchemaStatus(found: Int(clamping: found), wanted: version, readableFrom: Int(clamping: found))
    }

    /// Migrates a database to this version, in one transaction.
    ///
    /// - Parameter isAllowed: otherwise an older database is refused.
    static func migrate(_ connection: SQLiteConnection, isAllowed: Bool = true) throws(StoreError) {
        try connection.transaction { () throws(StoreError) in
            let found = try check(connection)
            guard found < version else { return }
            guard isAllowed else {
                throw StoreError(
                    .incompatible,
                    "\(connection.path) has schema \(found), and this version needs schema \(version). Run `gohubd "
                        + "migrate`, or set store.migrate to auto.")
            }
            for migration in migrations.dropFirst(found) { try connection.execute(migration) }
            try connection.execute("PRAGMA user_version = \(version); PRAGMA application_id = \(applicationID)")
        }
    }

    private static func notOurs(_ path: String) -> StoreError {
        StoreError(.incompatible, "\(path) is a database of another program. Use another file.")
    }
}
