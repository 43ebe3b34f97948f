import Synchronization

/// The keys that an issuer publishes at a URL (RFC 7517), kept at hand and fresh.
///
/// - `run()` fetches at once, then at an interval; after a failure it retries sooner, with growing pauses.
/// - A token with an unknown key makes for one early fetch, so that a rotation is noticed within a second. However
///   many such tokens come, only one fetch runs at a time, and two never start within `fetchIntervalMin`.
/// - While the URL is out of reach, or serves something without a usable key, the last good keys go on to be used.
///
/// Getting the bytes is the caller's closure; it should stop when its task is cancelled, which happens at the timeout.
public final class JWKSCache: Sendable {
    public struct Settings: Sendable, Hashable {
        /// The issuer that the keys belong to: they then verify no other's tokens.
        public let issuer: String?
        /// What RSA keys without `alg` are for.
        public let rsa: RSAScheme
        /// The pause between two fetches when all is well. Also how long a withdrawn key is accepted at most.
        public let refreshInterval: Duration
        /// The least time between the starts of two fetches, whatever the tokens say.
        public let fetchIntervalMin: Duration
        /// When a fetch is given up.
        public let fetchTimeout: Duration

        /// Durations out of range are brought into it: 1 s to 1 h between fetches, from there to 24 h for the refresh
        /// interval, and 1 s to 1 min for the timeout.
        public init(
            issuer: String? = nil, rsa: RSAScheme = .rs256, refreshInterval: Duration = .seconds(300),
            fetchIntervalMin: Duration = .seconds(10), fetchTimeout: Duration = .seconds(5)
        ) {
            self.issuer = issuer
            self.rsa = rsa
            self.fetchIntervalMin = min(max(fetchIntervalMin, .seconds(1)), .seconds(3600))
            self.refreshInterval = min(max(refreshInterval, self.fetchIntervalMin), .seconds(86_400))
            self.fetchTimeout = min(max(fetchTimeout, .seconds(1)), .seconds(60))
        }
    }

    /// How a fetch ended, for a log.
    public enum Event: Sendable, Hashable {
        /// Keys are in use; `skipped` says which members of the set aren't, and why.
        case refreshed(keys: Int, skipped: [String])
        /// The earlier keys, if any, stay in use.
        case failed(reason: String, failuresInARow: Int)
    }

    private struct State {
        var keys = VerificationKeys.none
        var fetch: Task<Void, Never>?
        var lastStart: Duration?
        var failuresInARow = 0
    }

    private let settings: Settings
    private let load: @Sendable () async throws -> [UInt8]
    private let observe: @Sendable (Event) -> Void
    /// Since the cache was made, by its clock.
    private let elapsed: @Sendable () -> Duration
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - clock: what the intervals and the timeout are measured with.
    ///   - observe: called after every fetch; must not block.
    ///   - fetch: gets the key set from its URL. Should bound what it reads; more than 256 KB is refused.
    public init(
        settings: Settings = Settings(), clock: some Clock<Duration> = ContinuousClock(),
        observe: @escaping @Sendable (Event) -> Void = { _ in },
        fetch: @escaping @Sendable () async throws -> [UInt8]
    ) {
        let start = clock.now
        self.settings = settings
        self.load = fetch
        self.observe = observe
        elapsed = { start.duration(to: clock.now) }
        sleep = { try await clock.sleep(for: $0) }
    }

    /// The last good keys; none before the first fetch. A short lock, never a wait for the network.
    public var keys: VerificationKeys {
        state.withLock { $0.keys }
    }

    /// Keeps the keys fresh until its task is cancelled.
    public func run() async {
        await withTaskCancellationHandler {
            while !Task.isCancelled {
                await fetchUnlessTooSoon()
                do {
                    try await sleep(pause)
                } catch {
                    return
                }
            }
        } onCancel: {
            state.withLock { $0.fetch }?.cancel()
        }
    }

    /// Whether a fetch could bring the key of a token that none was found for.
    func mayGain(keyFor token: CompactToken) -> Bool {
        guard !token.algorithm.isSymmetric else { return false }
        guard let id = token.keyID else { return keys.isEmpty }
        return !keys.keys.contains { $0.id.map { $0.utf8.elementsEqual(id.utf8) } ?? false }
    }

    /// For a token whose key isn't there: waits for the fetch under way, starts one if the last is long enough ago,
    /// and returns at once otherwise.
    func refreshAfterMiss() async {
        await fetchUnlessTooSoon()
    }

    /// Until the next fetch by `run()`: the interval, or after failures the minimum doubled each time.
    private var pause: Duration {
        let failures = state.withLock { $0.failuresInARow }
        guard failures > 0 else { return settings.refreshInterval }
        let backoff = settings.fetchIntervalMin * (1 << min(failures - 1, 10))
        return min(backoff, settings.refreshInterval)
    }

    private func fetchUnlessTooSoon() async {
        await fetchTask()?.value
    }

    /// The fetch under way, or a new one; `nil` when it is too soon for one.
    private func fetchTask() -> Task<Void, Never>? {
        state.withLock { state in
            if let fetch = state.fetch { return fetch }
            let now = elapsed()
            if let last = state.lastStart, now - last < settings.fetchIntervalMin { return nil }
            // A task of its own: a caller that goes away must not end the fetch that others wait for. It can't finish
            // before it is stored, as finishing takes the same lock.
            let fetch = Task { await self.fetchOnce() }
            state.fetch = fetch
            state.lastStart = now
            return fetch
        }
    }

    private func fetchOnce() async {
        let event: Event
        do {
            let json = try await loadWithinTimeout()
            let keys = try await VerificationKeys(
                publishedJWKS: json, rsa: settings.rsa, issuer: settings.issuer)
            state.withLock { state in
                state.keys = keys
                state.failuresInARow = 0
                state.fetch = nil
            }
            event = .refreshed(keys: keys.count, skipped: keys.skipped)
        } catch {
            let failures = state.withLock { state in
                state.failuresInARow += 1
                state.fetch = nil
                return state.failuresInARow
            }
            event = .failed(reason: String("\(error)".prefix(300)), failuresInARow: failures)
        }
        observe(event)
    }

    private struct TimedOut: Error, CustomStringConvertible {
        let timeout: Duration

        var description: String { "The key set didn't come within \(timeout)." }
    }

    private func loadWithinTimeout() async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: [UInt8].self) { [load, sleep, settings] group in
            group.addTask { try await load() }
            group.addTask {
                try await sleep(settings.fetchTimeout)
                throw TimedOut(timeout: settings.fetchTimeout)
            }
            defer { group.cancelAll() }
            guard let json = try await group.next() else { throw CancellationError() }
            return json
        }
    }
}
