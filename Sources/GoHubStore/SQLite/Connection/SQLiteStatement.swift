internal import CGoHubSQLite
internal import GoHubCore

/// A prepared statement. Bound values stay until they are bound again.
final class SQLiteStatement {
    private let statement: OpaquePointer
    private let connection: SQLiteConnection

    init(_ statement: OpaquePointer, _ connection: SQLiteConnection) {
        self.statement = statement
        self.connection = connection
    }

    deinit {
        sqlite3_finalize(statement)
    }

    // MARK: Binding; the first parameter is 1

    func bind(_ value: Int64, at index: Int32) throws(StoreError) {
        try connection.check(sqlite3_bind_int64(statement, index, value))
    }

    func bindNull(at index: Int32) throws(StoreError) {
        try connection.check(sqlite3_bind_null(statement, index))
    }

    func bind(_ value: String, at index: Int32) throws(StoreError) {
        var value = value
        let code = value.withUTF8 { bytes in
            // The call copies the bytes. A null address would be NULL instead of the empty text.
            bytes.withMemoryRebound(to: CChar.self) { text in
                guard let start = text.baseAddress else { return gohub_sqlite3_bind_text(statement, index, "", 0) }
                return gohub_sqlite3_bind_text(statement, index, start, UInt64(text.count))
            }
        }
        try connection.check(code)
    }

    // MARK: Running

    /// - Returns: whether there is a row. After the last one, or an error, the statement is ready to run again.
    func step() throws(StoreError) -> Bool {
        let code = sqlite3_step(statement)
        if code == SQLITE_ROW { return true }
        defer { sqlite3_reset(statement) }
        try connection.check(code)
        return false
    }

    /// For a statement without rows.
    func run() throws(StoreError) {
        if try step() { reset() }
    }

    /// Skips the remaining rows.
    func reset() {
        sqlite3_reset(statement)
    }

    // MARK: The row; the first column is 0

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    func text(_ column: Int32) -> String {
        guard let start = sqlite3_column_text(statement, column) else { return "" }
        // The bytes belong to SQLite until the next step; they are copied here.
        let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column)))
        return String(decoding: bytes, as: UTF8.self)
    }
}
