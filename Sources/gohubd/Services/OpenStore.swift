internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubStore
internal import Logging

/// The daemon's message store, of any kind.
struct OpenStore: Sendable {
    /// The opened store, and the parameters for opening a catalog beside it.
    private enum Opened: Sendable {
        /// The catalog has the files that messages in memory hold.
        case memory(InMemoryFileCatalog)
        case sqlite(SQLiteMessageStore)
        case postgres(PostgresMessageStore, url: String)
    }

    let messages: any MessageStore
    private let opened: Opened
    let location: StoreLocation
    private let postgresDeadline: Milliseconds
    private let migrates: Bool
    private let postgresServer = PostgresServerState()

    /// - Parameter isClustered: whether this hub is one of several on the database.
    /// - Throws: `ConfigurationError` for a location that can't be read, `StartError` for a store that can't be used.
    init(_ configuration: StoreConfiguration, isClustered: Bool = false, logger: Logger) throws {
        location = try configuration.location()
        postgresDeadline = configuration.postgresDeadline
        migrates = configuration.migrates
        do throws(StoreError) {
            switch location {
            case .memory: opened = .memory(InMemoryFileCatalog())
            case .sqlite(let path):
                var options = configuration.sqlite
                options.report = { logger.warning("retention failed \($0.logText)") }
                opened = .sqlite(
                    try SQLiteMessageStore(path: path, options: options, settings: configuration.settings))
            case .postgres(let url):
                var options = PostgresMessageStore.Options()
                options.deadline = configuration.postgresDeadline
                options.server = postgresServer
                options.migrates = configuration.migrates
                options.isClustered = isClustered
                options.report = { Self.report($0, logger) }
                opened = .postgres(
                    try PostgresMessageStore(url: url, options: options, settings: configuration.settings), url: url)
            }
        } catch {
            throw StartError("Cannot open the store \(error.logText)", underlying: error)
        }
        switch opened {
        case .memory(let catalog):
            messages = InMemoryMessageStore(capacity: configuration.memory, files: catalog)
        case .sqlite(let store): messages = Self.shared(store, logger)
        case .postgres(let store, _): messages = Self.shared(store, logger)
        }
    }

    private static func shared(_ store: any DurableMessageStore, _ logger: Logger) -> any MessageStore {
        LoggedStore(store) { logger.error("\($0)") }.sharingReads()
    }

    /// The catalog of files, kept with the messages.
    ///
    /// - Returns: also the one that has its own connection to close.
    func fileCatalog(
        _ logger: Logger
    ) throws(StoreError) -> (catalog: any FileCatalog, connected: PostgresFileCatalog?) {
        switch opened {
        case .memory(let catalog): return (catalog, nil)
        case .sqlite(let store): return (store, nil)
        case .postgres(_, let url):
            var options = PostgresMessageStore.Options()
            options.deadline = postgresDeadline
            options.server = postgresServer
            options.migrates = migrates
            options.report = { Self.report($0, logger) }
            let catalog = try PostgresFileCatalog(url: url, options: options)
            return (catalog, catalog)
        }
    }

    private static func report(_ event: PostgresMessageStore.Event, _ logger: Logger) {
        switch event {
        case .connected(let purpose): logger.notice("connected to PostgreSQL", metadata: ["for": "\(purpose.rawValue)"])
        case .lost(let purpose, let error):
            logger.error(
                "PostgreSQL connection failed; retrying: \(error)",
                metadata: ["for": "\(purpose.rawValue)", "code": "\(error.code.rawValue)"])
        case .warning(let text): logger.warning("\(text)")
        }
    }

    /// The registry of a cluster's nodes; `nil` for a store of one hub.
    var registry: PostgresMessageStore? {
        guard case .postgres(let store, _) = opened else { return nil }
        return store
    }

    /// Whether messages can be stored and read now.
    var isReady: Bool { durable?.isReady ?? true }

    func close() async {
        await durable?.close()
    }

    private var durable: (any DurableMessageStore)? {
        switch opened {
        case .memory: nil
        case .sqlite(let store): store
        case .postgres(let store, _): store
        }
    }
}
