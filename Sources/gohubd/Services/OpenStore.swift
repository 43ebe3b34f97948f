internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubStore
internal import Logging

/// The store that the daemon runs with, whichever it is.
struct OpenStore: Sendable {
    let messages: any MessageStore
    private let durable: (any DurableMessageStore)?
    let location: StoreLocation
    private let postgresDeadline: Milliseconds
    private let postgresServer = PostgresServerState()
    /// What messages in memory hold.
    private let filesInMemory = InMemoryFileCatalog()

    /// - Throws: `ConfigurationError` for a place that can't be read, `StartError` for a store that can't be used.
    init(_ configuration: StoreConfiguration, logger: Logger) throws {
        location = try configuration.location()
        postgresDeadline = configuration.postgresDeadline
        do throws(StoreError) {
            switch location {
            case .memory: durable = nil
            case .sqlite(let path):
                var options = configuration.sqlite
                options.report = { logger.warning("old messages could not be removed: \($0)") }
                durable = try SQLiteMessageStore(path: path, options: options, settings: configuration.settings)
            case .postgres(let url):
                var options = PostgresMessageStore.Options()
                options.deadline = configuration.postgresDeadline
                options.server = postgresServer
                options.report = { Self.report($0, logger) }
                durable = try PostgresMessageStore(url: url, options: options, settings: configuration.settings)
            }
        } catch {
            throw StartError("cannot open the store: \(error)")
        }
        if let durable {
            messages = SharedReadStore(LoggedStore(durable) { logger.error("\($0)") })
        } else {
            messages = InMemoryMessageStore(capacity: configuration.memory, files: filesInMemory)
        }
    }

    /// Where what is known of files is kept: with the messages.
    ///
    /// - Returns: also the one that has a connection of its own to close.
    func fileCatalog(
        _ logger: Logger
    ) throws(StoreError) -> (catalog: any FileCatalog, connected: PostgresFileCatalog?) {
        switch location {
        case .memory: return (filesInMemory, nil)
        case .sqlite:
            // What is there at this location is this store.
            guard let store = durable as? SQLiteMessageStore else { return (filesInMemory, nil) }
            return (store, nil)
        case .postgres(let url):
            var options = PostgresMessageStore.Options()
            options.deadline = postgresDeadline
            options.server = postgresServer
            options.report = { Self.report($0, logger) }
            let catalog = try PostgresFileCatalog(url: url, options: options)
            return (catalog, catalog)
        }
    }

    private static func report(_ event: PostgresMessageStore.Event, _ logger: Logger) {
        switch event {
        case .connected(let purpose): logger.notice("connected to PostgreSQL", metadata: ["for": "\(purpose.rawValue)"])
        case .lost(let purpose, let error):
            logger.error("\(error); trying again", metadata: ["for": "\(purpose.rawValue)"])
        case .warning(let text): logger.warning("\(text)")
        }
    }

    /// Whether messages can be stored and read now.
    var isReady: Bool { durable?.isReady ?? true }

    func close() async {
        await durable?.close()
    }
}
