internal import GoHubCore

/// A transaction of the catalog on its way to the store's writing thread.
struct SQLiteFileRequest: Sendable {
    let run: @Sendable (SQLiteFileTables) -> Void
    let refuse: @Sendable (FileError) -> Void
}
