internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubHTTP
internal import Hummingbird
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import ServiceLifecycle

/// Hummingbird on the private socket that Wire tunnels to.
struct HTTPService: Service {
    private let application: Application<RouterResponder<APIContext>>
    private let started: AsyncStream<Void>
    private let starting: AsyncStream<Void>.Continuation

    /// - Parameter fileBytesMax: the maximum size of an uploaded file; `nil` if files are off.
    init(
        routes: Routes, socket: PrivateSocket, configuration: DaemonConfiguration.HTTP, fileBytesMax: UInt64?,
        logger: Logger
    ) {
        let (started, starting) = AsyncStream.makeStream(of: Void.self)
        self.started = started
        self.starting = starting
        let idleTimeout = TimeAmount.milliseconds(Int64(clamping: configuration.idleTimeout.value))
        application = Application(
            router: routes.router,
            server: HTTPServerBuilder {
                TunnelChannel(idleTimeout: idleTimeout, fileBytesMax: fileBytesMax, responder: $0)
            },
            configuration: ApplicationConfiguration(
                // Wire opens no more connections than that. Simultaneous ones wait here to be accepted.
                address: .unixDomainSocket(path: socket.path), backlog: max(256, configuration.connectionsMax)),
            onServerRunning: { _ in starting.yield() },
            logger: logger.quieted(to: .notice))
    }

    /// Waits until connections are accepted.
    ///
    /// - Returns: whether they are; false when the start has failed or the task is cancelled.
    func waitUntilRunning() async -> Bool {
        for await _ in started { return true }
        return false
    }

    func run() async throws {
        defer { starting.finish() }
        try await application.run()
    }
}
