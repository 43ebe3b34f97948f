internal import AsyncHTTPClient
internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubHTTP
internal import GoHubPreviews
internal import GoHubRedis
internal import GoHubStore
internal import GoHubSystem
internal import GoHubWeb
internal import GoHubWire
internal import Logging

/// The daemon's components, assembled from its configuration and not yet started.
struct Assembly {
    let server: HubServer
    /// Of the hub's sessions; also for the cluster's registry.
    let incarnation: NodeIncarnation
    /// `nil` without one.
    let bus: NodeBus?
    let routes: Routes
    let socket: PrivateSocket
    let reloader: Reloader
    let keySet: KeySetService?
    let store: OpenStore
    /// `nil` when there are none.
    let files: OpenFiles?

    /// - Throws: `ConfigurationError` for invalid keys and certificates, `StartError` when the system lacks resources.
    init(_ configuration: DaemonConfiguration, logger: Logger) async throws {
        let keySet = configuration.auth.jwks.map { KeySetService($0.location, settings: $0.settings, logger: logger) }
        let verifier: ReloadingVerifier?
        let tls: TLSReloader?
        let apiKey: ReloadingAPIKey?
        do {
            verifier =
                configuration.isDevelopment
                ? nil : try await ReloadingVerifier(configuration.auth, cache: keySet?.cache)
            tls = try Self.tls(configuration)
            apiKey = try configuration.apiKey.map { source throws(ConfigurationError) in
                try ReloadingAPIKey(source)
            }
            let location = try configuration.store.location()
            try configuration.checkCluster(location)
            try await StoreSchema(location, configuration.store).requireUsable()
            store = try OpenStore(configuration.store, isClustered: configuration.isClustered, logger: logger)
        } catch {
            // The HTTP client must be shut down explicitly.
            await keySet?.shutDown()
            throw error
        }
        let signer: FileURLSigner
        do {
            signer = try configuration.files.signer()
            files = try await OpenFiles(configuration.files, configuration.previews, beside: store, logger: logger)
        } catch {
            await keySet?.shutDown()
            await store.close()
            throw error
        }
        do throws(StartError) {
            socket = try PrivateSocket()
        } catch {
            await keySet?.shutDown()
            await files?.close()
            await store.close()
            throw error
        }
        self.keySet = keySet
        let context = Self.context(configuration, files: files?.store)
        incarnation = context.incarnation
        do {
            bus = try Self.bus(configuration, incarnation, logger: logger)
        } catch {
            await keySet?.shutDown()
            await files?.close()
            await store.close()
            throw error
        }
        server = HubServer(
            Self.serverConfiguration(configuration, tls: tls, socket: socket), context: context, store: store.messages,
            verifier: verifier, bus: bus?.server, logger: logger)
        reloader = Reloader(tls: tls, verifier: verifier, apiKey: apiKey, logger: logger)
        routes = Self.routes(
            configuration, hub: server, isStoreReady: { [store, files] in store.isReady && files?.isReady ?? true },
            apiKey: apiKey?.key, verifier: verifier, logger: logger)
        if let files {
            let settings = FileAPI.Settings(
                fileBytesMax: configuration.files.fileBytesMax,
                urlsExpireAfter: configuration.files.urlsExpireAfter,
                downloads: DownloadSlots.Bounds(configuration.files.downloads),
                downloadStall: configuration.files.downloadStall)
            let access = FileAccess(
                verifier: verifier, tokenless: TokenlessAccess(configuration), hub: server)
            FileAPI(
                store: files.store, access: access, signer: signer, settings: settings, logger: logger,
                report: { [errors = files.errors] in errors.report($0) }
            ).add(to: routes)
        } else {
            FileAPI.addRefusals(to: routes)
        }
    }

    /// Reads every file that the configuration refers to, like a start, and starts nothing.
    static func check(_ configuration: DaemonConfiguration) async throws(ConfigurationError) {
        _ = try await configuration.auth.readKeys()
        _ = try tls(configuration)
        _ = try configuration.apiKey?.read(bytesMin: APIKey.bytesMin)
        let location = try configuration.store.location()
        try configuration.checkCluster(location)
        try configuration.bus?.checkFiles()
        _ = try configuration.files.location(beside: location)
        _ = try configuration.files.signer()
        try PreviewHelper.check(configuration.previews)
    }

    static func routes(
        _ configuration: DaemonConfiguration, hub: any HubControl, isStoreReady: @escaping @Sendable () -> Bool,
        apiKey: APIKey?, verifier: (any TokenVerifier)?, logger: Logger
    ) -> Routes {
        let routes = Routes(cors: CORS(policy: configuration.origins, isTLS: configuration.tls != nil), logger: logger)
        let info = StatusRoutes.Info(
            version: GoHubVersion.current, node: configuration.node, development: configuration.isDevelopment,
            limits: configuration.limits)
        for file in webFiles { file.add(to: routes) }
        StatusRoutes(hub: hub, isStoreReady: isStoreReady, info: info).add(to: routes)
        HandshakeProbe(
            origins: configuration.origins, tokenless: TokenlessAccess(configuration), verifier: verifier, hub: hub
        ).add(to: routes)
        ServerAPI(hub: hub, key: apiKey, limits: configuration.limits, logger: logger).add(to: routes)
        return routes
    }

    // MARK: Parts

    /// - Returns: `nil` without a bus. It isn't started.
    private static func bus(
        _ configuration: DaemonConfiguration, _ incarnation: NodeIncarnation, logger: Logger
    ) throws -> NodeBus? {
        guard let settings = configuration.bus, let name = configuration.clusterName else { return nil }
        let location = try settings.location()
        let keys = try settings.frameKeys()
        do throws(SystemError) {
            let bus = try RedisBus(
                node: NodeID(name: name, incarnation: incarnation), location, prefix: settings.prefix,
                authenticators: keys.map(\.authenticator)
            ) { report in
                let metadata: Logger.Metadata = report.code.map { ["code": "\($0.rawValue)"] } ?? [:]
                logger.log(level: report.code == nil ? .notice : .warning, "\(report)", metadata: metadata)
            }
            let metrics = BusMetrics()
            return NodeBus(
                bus, busID: { bus.status.runID }, compare: { bus.compare(with: $0) },
                recordMetrics: { metrics.record(bus.status) })
        } catch {
            throw StartError("The bus could not be prepared: \(error).", underlying: error)
        }
    }

    /// Compressed when the first hub of the process is put together.
    private static let webFiles = (WebFiles.client + WebFiles.sdk).map { file in
        StaticFile(
            path: file.path, contentType: file.contentType, contentSecurityPolicy: WebFile.contentSecurityPolicy,
            bytes: file.bytes)
    }

    private static func tls(_ configuration: DaemonConfiguration) throws(ConfigurationError) -> TLSReloader? {
        guard let tls = configuration.tls else { return nil }
        do throws(TLSError) {
            return try TLSReloader(tls)
        } catch {
            throw ConfigurationError("tls: \(error)", underlying: error)
        }
    }

    private static func serverConfiguration(
        _ configuration: DaemonConfiguration, tls: TLSReloader?, socket: PrivateSocket
    ) -> GoHubWire.ServerConfiguration {
        var server = GoHubWire.ServerConfiguration(listen: configuration.listen)
        if let loops = configuration.loops { server.loops = loops }
        server.tls = tls
        server.origins = configuration.origins
        server.httpSocketPath = socket.path
        server.trustedProxies = configuration.trustedProxies
        server.connectionsMax = configuration.connections.max
        server.connectionsPerAddressMax = configuration.connections.perAddressMax
        server.httpSlotsMax = configuration.http.connectionsMax
        server.httpSlotsPerAddressMax = configuration.connections.httpPerAddressMax
        server.httpIdleTimeout = Milliseconds(configuration.http.idleTimeout.value * 9 / 10)
        server.allowsTokenInQuery = configuration.allowsTokenInQuery
        server.deflate = configuration.deflate
        server.headTimeout = configuration.connections.headTimeout
        server.queuedBytesMax = configuration.connections.queuedBytesMax
        return server
    }

    private static func context(
        _ configuration: DaemonConfiguration, files: DiskFileStore?
    ) -> SessionContext {
        SessionContext(
            limits: configuration.limits, authentication: configuration.isDevelopment ? .development : .token,
            limiter: RateLimiter(configuration.rates), files: files, node: configuration.node)
    }
}

extension TokenlessAccess {
    fileprivate init(_ configuration: DaemonConfiguration) {
        self.init(
            origins: configuration.origins, isTLS: configuration.tls != nil,
            isLoopback: configuration.listen.isLoopback)
    }
}

extension DownloadSlots.Bounds {
    fileprivate init(_ downloads: FilesConfiguration.Downloads) {
        self.init(max: downloads.max, perUserMax: downloads.perUserMax, perAddressMax: downloads.perAddressMax)
    }
}
