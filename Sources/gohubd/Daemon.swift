internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubStore
internal import GoHubWire
internal import Logging
internal import NIOCore
internal import ServiceLifecycle

/// The running daemon: the services in the order of their start, stopped in reverse order.
struct Daemon {
    /// The time limit for the file store, and then for the message store, to finish when the hub has stopped.
    private static let storeTimeout = Duration.seconds(10)

    private let configuration: DaemonConfiguration
    private let logger: Logger

    init(_ configuration: DaemonConfiguration, logger: Logger = Logger(label: "gohubd")) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until a signal, and returns when everything has stopped.
    ///
    /// - Throws: `ConfigurationError` and `StartError`.
    func run() async throws {
        // HTTP needs little time: one thread serves it.
        NIOSingletons.groupLoopCountSuggestion = 1
        let signals = await Signals()
        let assembly = try await Assembly(configuration, logger: logger)
        let (server, reloader, socket) = (assembly.server, assembly.reloader, assembly.socket)
        let (store, files) = (assembly.store, assembly.files)
        defer { socket.remove() }
        let http = HTTPService(
            routes: assembly.routes, socket: socket, configuration: configuration.http,
            fileBytesMax: files.map { _ in configuration.files.fileBytesMax }, logger: logger)
        let membership = membership(assembly)
        let hub = HubService(
            server: server, drain: configuration.drain, logger: logger,
            waitForOthers: {
                guard await membership?.waitUntilJoined() ?? true else { return false }
                return await http.waitUntilRunning()
            },
            started: { announce(port: server.port, store: store.location, files: files?.path) })
        var services: [any Service] = [CertificateWatch(reloader: reloader)]
        if let keySet = assembly.keySet { services.append(keySet) }
        if let files { services.append(FileKeeper(store: files.store)) }
        // Stops after the hub, whose clients need the node's name to the end.
        if let membership { services.append(membership) }
        services += [http, hub]
        var plan = ServiceGroupConfiguration(
            // When one fails, such as the hub with a port in use, the others still stop in order.
            services: services.map { .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup) },
            logger: logger.quieted(to: .warning))
        // The hub keeps the deadline by itself; this covers the steps after it.
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
            throw StartError("\(error)", underlying: error)
        } catch let error as IOError {
            throw StartError("Cannot serve HTTP on the private socket \(socket.path): \(error).", underlying: error)
        }
        logger.notice("stopped")
    }

    /// - Returns: `nil` for a hub without others.
    private func membership(_ assembly: Assembly) -> MembershipService? {
        guard let name = configuration.clusterName, let registry = assembly.store.registry else { return nil }
        let own = NodeID(name: name, incarnation: assembly.incarnation)
        let server = assembly.server
        return MembershipService(
            own, version: GoHubVersion.current, registry: registry, bus: assembly.bus, logger: logger,
            isAccepting: { server.isAccepting }, statistics: { await server.statistics() },
            update: { server.update($0) })
    }

    /// Closes the stores after the hub has stopped. Waiting requests are stored within the time limit. Each store has
    /// its own limit, so that a hanging folder, such as one of an unreachable file server, takes none of the messages'
    /// time.
    private func close(_ files: OpenFiles?, _ store: OpenStore) async {
        let areFilesClosed = await HubService.within(Self.storeTimeout) { await files?.close() }
        if !areFilesClosed {
            logger.warning("the file store did not close in time; uploads resume from what is stored")
        }
        let isStoreClosed = await HubService.within(Self.storeTimeout) { await store.close() }
        if !isStoreClosed {
            logger.warning("the store did not close in time; unacknowledged messages may be lost")
        }
    }

    // MARK: Start messages

    private func announce(port: UInt16, store: StoreLocation, files: String?) {
        // With the port that the system chose, if it was left to the system.
        let address = "\(configuration.listen)"
        let host = address[..<(address.lastIndex(of: ":") ?? address.endIndex)]
        logger.notice(
            "started",
            metadata: [
                "version": "\(GoHubVersion.current)", "node": "\(configuration.node)",
                "listen": "\(host):\(port)",
                "cluster": configuration.isClustered ? "on" : "off",
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
        "File links are signed with a key of this process: they stop working when it ends, and other nodes reject "
        + "them. Set files.urlKeyFile to the same key on all nodes."

    private static let developmentWarning: [Logger.Message] = [
        "*** DEVELOPMENT MODE ***",
        "No key is configured to verify tokens with. Anyone who can connect can use any identity,",
        "and moderates every room. Only this machine can connect; keep it that way.",
        "To leave this mode, set auth.secretFile, auth.publicKeys, auth.jwksFile or auth.jwksURL.",
    ]
}
