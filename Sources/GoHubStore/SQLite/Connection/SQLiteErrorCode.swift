internal import CGoHubSQLite
internal import GoHubCore

extension StoreError.Code {
    /// - Parameter resultCode: of SQLite, also an extended one: the low byte is the kind, the rest is a detail.
    init(sqlite resultCode: Int32) {
        self =
            switch resultCode & 0xFF {
            case SQLITE_FULL: .full
            case SQLITE_NOTADB, SQLITE_CORRUPT: .corrupt
            case SQLITE_BUSY, SQLITE_LOCKED: .inUse
            case SQLITE_READONLY, SQLITE_PERM, SQLITE_CANTOPEN, SQLITE_AUTH: .denied
            case SQLITE_IOERR: .inputOutput
            case SQLITE_TOOBIG, SQLITE_MISMATCH, SQLITE_CONSTRAINT: .invalid
            case SQLITE_SCHEMA, SQLITE_ERROR: .incompatible
            default: .unavailable
            }
    }
}
