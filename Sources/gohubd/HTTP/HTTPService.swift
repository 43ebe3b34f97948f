internal import GoHubCore
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import ServiceLifecycle

/// Hummingbird on the private socket that Wire tunnels to.
struct HTTPService: Service {
    private let application: Application<RouterResponder<APIContext>>
    private let started: AsyncStream<Void>

    init(routes: Routes, socket: PrivateSocket, configuration: DaemonConfiguration.HTTP, logger: Logger) {
        let (started, starting) = AsyncStream.makeStream(of: Void.self)
        self.started = started
        let idleTimeout = TimeAmount.milliseconds(Int64(clamping: configuration.idleTimeout.value))
        let connections = MaximumAvailableConnections(configuration.connectionsMax)
        application = Application(
            router: routes.router,
            server: HTTPServerBuilder { TunnelChannel(idleTimeout: idleTimeout, responder: $0) },
            configuration: ApplicationConfiguration(
                address: .unixDomainSocket(path: socket.path), availableConnectionsDelegate: connections),
            onServerRunning: { _ in starting.finish() },
            logger: logger.quieted(to: .notice))
    }

    /// Returns once connections are taken, or when the task is cancelled before.
    func waitUntilRunning() async {
        for await _ in started {}
    }

    func run() async throws {
        try await application.run()
    }
}
