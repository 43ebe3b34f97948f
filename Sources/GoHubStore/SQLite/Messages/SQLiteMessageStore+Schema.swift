internal import Glibc
package import GoHubCore

extension SQLiteMessageStore {
    /// The schema of a file. Changes nothing, and creates no file.
    ///
    /// - Throws: also for a file that a hub is using.
    package static func schemaStatus(path: String) throws(StoreError) -> SchemaStatus {
        guard access(path, F_OK) == 0 else {
            return SchemaStatus(found: 0, wanted: SQLiteSchema.version, readableFrom: 0)
        }
        // The lock lasts until the connection is closed.
        let file = try SQLiteFile(path: path)
        defer { withExtendedLifetime(file) {} }
        return try SQLiteSchema.status(SQLiteConnection(path: file.path))
    }

    /// Migrates a file to this version, if it is older, and creates one that doesn't exist.
    ///
    /// - Returns: the status before.
    /// - Throws: also for a schema that is too new, and for a file that a hub is using.
    package static func migrate(path: String) throws(StoreError) -> SchemaStatus {
        let file = try SQLiteFile(path: path)
        defer { withExtendedLifetime(file) {} }
        let connection = try open(file, Options())
        let status = try SQLiteSchema.status(connection)
        try SQLiteSchema.migrate(connection)
        return status
    }
}
