internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubStore

/// The schema of the configured store, looked at without a hub.
struct StoreSchema {
    let location: StoreLocation
    private let configuration: StoreConfiguration

    init(_ location: StoreLocation, _ configuration: StoreConfiguration) {
        self.location = location
        self.configuration = configuration
    }

    /// - Returns: `nil` for a store without a schema.
    func status() async throws(StoreError) -> SchemaStatus? {
        switch location {
        case .memory: nil
        case .sqlite(let path): try SQLiteMessageStore.schemaStatus(path: path)
        case .postgres(let url): try await PostgresMessageStore.schemaStatus(url: url, options: options)
        }
    }

    /// - Returns: the status before; `nil` for a store without a schema.
    /// - Throws: also for a schema that is too new.
    func migrate() async throws(StoreError) -> SchemaStatus? {
        switch location {
        case .memory: return nil
        case .sqlite(let path): return try SQLiteMessageStore.migrate(path: path)
        case .postgres(let url): return try await PostgresMessageStore.migrate(url: url, options: options)
        }
    }

    /// Where nothing is migrated at the start, a store with another schema is refused. A server that can't be reached
    /// isn't: it is connected to later, and its schema is checked then.
    ///
    /// - Throws: `StartError`.
    func requireUsable() async throws(StartError) {
        guard case .postgres(let url) = location, !configuration.migrates else { return }
        do throws(StoreError) {
            try await PostgresMessageStore.checkSchema(url: url, options: options)
        } catch {
            if error.code == .incompatible {
                throw StartError("Cannot open the store \(error.logText)", underlying: error)
            }
        }
    }

    private var options: PostgresMessageStore.Options {
        var options = PostgresMessageStore.Options()
        options.deadline = configuration.postgresDeadline
        options.migrates = configuration.migrates
        return options
    }
}
