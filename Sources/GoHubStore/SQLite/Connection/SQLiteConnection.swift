internal import CGoHubSQLite
internal import GoHubCore

/// One connection to a database file. Belongs to one thread at a time.
final class SQLiteConnection {
    private let handle: OpaquePointer
    let path: String

    /// Opens a file that exists.
    init(path: String) throws(StoreError) {
        var handle: OpaquePointer?
        // Without SQLite's own locks: a connection is never used by two threads at once.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard let handle, code == SQLITE_OK else {
            // There may be a connection even when opening failed.
            sqlite3_close(handle)
            throw SQLiteConnection.error(code, path: path, detail: String(cString: sqlite3_errstr(code)))
        }
        self.handle = handle
        self.path = path
        _ = gohub_sqlite3_set_defensive(handle)
        // Another program, such as the sqlite3 shell, may hold a lock for a moment.
        sqlite3_busy_timeout(handle, 5_000)
    }

    deinit {
        // Statements keep the connection, so none is left.
        sqlite3_close(handle)
    }

    func execute(_ sql: String) throws(StoreError) {
        try check(sqlite3_exec(handle, sql, nil, nil, nil))
    }

    func prepare(_ sql: String) throws(StoreError) -> SQLiteStatement {
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil))
        guard let statement else { throw StoreError(.incompatible, "SQLite prepared no statement from: \(sql)") }
        return SQLiteStatement(statement, self)
    }

    /// The only value of a query's only row.
    func integer(_ sql: String) throws(StoreError) -> Int64 {
        let statement = try prepare(sql)
        return try statement.step() ? statement.integer(0) : 0
    }

    func text(_ sql: String) throws(StoreError) -> String {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : ""
    }

    /// Runs a body as one transaction: everything or nothing.
    func transaction<Result>(
        _ begin: String = "BEGIN IMMEDIATE", _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        try execute(begin)
        do throws(StoreError) {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // Some errors have already rolled back.
            if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    /// The number of rows changed by the last statement.
    var changes: Int { Int(sqlite3_changes(handle)) }

    func check(_ code: Int32) throws(StoreError) {
        guard code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE else {
            throw Self.error(code, path: path, detail: String(cString: sqlite3_errmsg(handle)))
        }
    }

    /// A sentence that says what to do. SQLite's own messages name tables, but contain no stored data.
    private static func error(_ resultCode: Int32, path: String, detail: String) -> StoreError {
        let code = StoreError.Code(sqlite: resultCode)
        let message =
            switch code {
            case .full: "\(path): no space is left. Free some on its disk, or raise the size limit (\(detail))."
            case .corrupt:
                "\(path) is damaged or not an SQLite database. Restore it from a backup, or move it away "
                    + "to start without its messages (\(detail))."
            case .inUse: "\(path) is locked by another program. Stop that program, or let it finish its transaction."
            case .denied: "\(path) or its directory is not writable by this user (\(detail))."
            case .inputOutput:
                "\(path): reading or writing failed. Check the disk and its free space (\(detail), \(resultCode))."
            default: "\(path): \(detail) (SQLite \(resultCode))."
            }
        return StoreError(code, message)
    }
}
