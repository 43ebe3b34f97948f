internal import AsyncHTTPClient
internal import GoHubConfiguration
internal import GoHubCore
internal import Logging
internal import ServiceLifecycle

/// Keeps the key set of `auth.jwksURL` fresh while the daemon runs.
struct KeySetService: Service {
    let cache: JWKSCache
    private let client: HTTPClient

    init(_ location: JWKSLocation, settings: JWKSCache.Settings, logger: Logger) {
        let client = JWKSFetcher.makeClient()
        let fetcher = JWKSFetcher(location: location, client: client)
        self.client = client
        cache = JWKSCache(
            settings: settings, observe: { Self.log($0, of: location, to: logger) },
            fetch: { try await fetcher.fetch() })
    }

    func run() async throws {
        await cancelWhenGracefulShutdown { await cache.run() }
        await shutDown()
    }

    func shutDown() async {
        // It fails only if it was already shut down.
        try? await client.shutdown()
    }

    private static func log(_ event: JWKSCache.Event, of location: JWKSLocation, to logger: Logger) {
        switch event {
        case .refreshed(let keys, let skipped):
            logger.info("key set fetched", metadata: ["url": "\(location.url)", "keys": "\(keys)"])
            for reason in skipped { logger.warning("key ignored", metadata: ["reason": "\(reason)"]) }
        case .failed(let reason, let failuresInARow):
            // Interrupted by the stop, which is no failure.
            if Task.isCancelled { return }
            logger.error(
                "fetching the key set failed; the previous keys stay in use",
                metadata: ["url": "\(location.url)", "reason": "\(reason)", "failuresInARow": "\(failuresInARow)"])
        }
    }
}
