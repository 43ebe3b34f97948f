internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubStore
internal import GoHubWire
internal import Logging
internal import NIOCore
internal import ServiceLifecycle

/// The running daemon: the services in the order of their start, stopped in the reverse one.
struct Daemon {
    /// How long the files, and then the store, may take for what waits when the hub has stopped.
    private static let storeTimeout = Duration.seconds(10)

    private let configuration: DaemonConfiguration
    private let logger: Logger

    init(_ configuration: DaemonConfiguration, logger: Logger = Logger(label: "gohubd")) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until a signal says to stop, and returns when everything has.
    ///
    /// - Throws: `ConfigurationError` and `StartError`.
    func run() async throws {
        // HTTP is the side-show: one thread serves it.
        NIOSingletons.groupLoopCountSuggestion = 1
        let signals = await Signals()
        let assembly = try await Assembly(configuration, logger: logger)
        let (server, reloader, socket) = (assembly.server, assembly.reloader, assembly.socket)
        let (store, files) = (assembly.store, assembly.files)
        defer { socket.remove() }
        let http = HTTPService(
            routes: assembly.routes, socket: socket, configuration: configuration.http,
            fileBytesMax: files.map { _ in configuration.files.fileBytesMax }, logger: logger)
        let hub = HubService(
            server: server, drain: configuration.drain, logger: logger,
            waitForHTTP: { await http.waitUntilRunning() },
            started: { announce(port: server.port, store: store.location, files: files?.path) })
        var services: [any Service] = [CertificateWatch(reloader: reloader)]
        if let keySet = assembly.keySet { services.append(keySet) }
        if let files { services.append(FileKeeper(store: files.store)) }
        services += [http, hub]
        var plan = ServiceGroupConfiguration(
            // When one fails, such as the hub at a port that is taken, the others still end in good order.
            services: services.map { .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup) },
            logger: logger.quieted(to: .warning))
        // The hub keeps the deadline by itself; this is for what comes after it.
        plan.maximumGracefulShutdownDuration =
            .milliseconds(Int64(clamping: configuration.drain.deadline.value)) + .seconds(5)
        let group = ServiceGroup(configuration: plan)
        let watching = signals.watch(
            reload: { await reloader.reload() }, stop: { await group.triggerGracefulShutdown() },
            abort: {
                socket.remove()
                files?.removeTemporary()
            }, logger: logger)
        defer { watching.cancel() }
        let result: Result<Void, any Error>
        do {
            result = .success(try await group.run())
        } catch {
            result = .failure(error)
        }
        await close(files, store)
        do {
            try result.get()
        } catch let error as ServerError {
            throw StartError("\(error)")
        } catch let error as IOError {
            throw StartError("cannot serve HTTP on the private socket \(socket.path): \(error)")
        }
        logger.notice("stopped")
    }

    /// The hub has stopped, so nothing new comes. What waits is stored, in the time that there is: a time for each, so
    /// that a folder that hangs, such as one of a file server that is away, takes none of the messages'.
    private func close(_ files: OpenFiles?, _ store: OpenStore) async {
        let areFilesClosed = await HubService.within(Self.storeTimeout) { await files?.close() }
        if !areFilesClosed {
            logger.warning("the files have not been closed in time; uploads go on from what is stored")
        }
        let isStoreClosed = await HubService.within(Self.storeTimeout) { await store.close() }
        if !isStoreClosed {
            logger.warning("the store has not answered in time; what was not acknowledged may be lost")
        }
    }

    // MARK: What is said at the start

    private func announce(port: UInt16, store: StoreLocation, files: String?) {
        // With the port that the system chose, where it was asked to.
        let address = "\(configuration.listen)"
        let host = address[..<(address.lastIndex(of: ":") ?? address.endIndex)]
        logger.notice(
            "started",
            metadata: [
                "version": "\(GoHubVersion.current)", "node": "\(configuration.node)",
                "listen": "\(host):\(port)",
                "mode": configuration.isDevelopment ? "development" : "production", "store": "\(store)",
                "files": "\(files ?? "off")", "tls": configuration.tls == nil ? "off" : "on",
                "loops": "\(configuration.loops ?? ServerConfiguration(listen: configuration.listen).loops)",
                "serverAPI": configuration.apiKey == nil ? "off" : "on",
            ])
        if files != nil, case .postgres = store, configuration.files.urlKey == nil {
            logger.warning("\(Self.linksWarning)")
        }
        for warning in configuration.warnings { logger.warning("\(warning)") }
        guard configuration.isDevelopment else { return }
        for line in Self.developmentWarning { logger.warning("\(line)") }
    }

    private static let linksWarning =
        "links to files are signed with a key of this process alone: they end with it, and other nodes refuse them; "
        + "set files.urlKeyFile, the same on all nodes"

    private static let developmentWarning: [Logger.Message] = [
        "*** DEVELOPMENT MODE ***",
        "No key is configured to verify tokens with. Everyone who can connect is who they say they are,",
        "and a moderator of every room. Only this machine can connect, and so it must stay.",
        "To end this mode set auth.secretFile, auth.publicKeys, auth.jwksFile or auth.jwksURL.",
    ]
}
