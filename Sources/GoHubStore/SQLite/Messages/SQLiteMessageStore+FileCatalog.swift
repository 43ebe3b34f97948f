public import GoHubCore

/// The files' rows are in the file of the messages and are written by the same thread: with a separate connection,
/// messages would wait for its lock, which SQLite does by polling.
extension SQLiteMessageStore: FileCatalog {
    public func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>
    ) {
        perform(
            SQLiteFileRequest(
                run: { completion($0.transaction(body)) }, refuse: { completion(.failure($0)) }))
    }

    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>
    ) {
        perform(
            SQLiteFileRequest(
                run: { tables in
                    do throws(FileError) {
                        completion(.success(try body(tables)))
                    } catch {
                        completion(.failure(error))
                    }
                }, refuse: { completion(.failure($0)) }))
    }
}
