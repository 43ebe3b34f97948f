#if Tokens

import Synchronization

/// An issuer's published keys (RFC 7517), cached and refreshed.
///
/// - `run()` fetches immediately, then at an interval. After a failure it retries sooner, with growing pauses.
/// - A token with an unknown key triggers an early fetch, so that a rotation is noticed within a second. At most one
///   fetch runs at a time, and two fetches never start within `fetchIntervalMin`, however many such tokens arrive.
/// - While the URL is unreachable or serves no usable key, the last good keys stay in use.
///
/// The caller's closure fetches the bytes. It should stop when its task is cancelled, which happens at the timeout.
public final class JWKSCache: Sendable {
    /// The issuer of the keys, and the times between fetches.
    public struct Settings: Sendable, Hashable {
        /// The issuer of the keys. They verify no other issuer's tokens.
        public let issuer: String?
        /// The algorithm of RSA keys without `alg`.
        public let rsa: JWTVerifier.Algorithm.RSAScheme
        /// The pause between two successful fetches; also the longest time that a withdrawn key stays accepted.
        public let refreshInterval: Duration
        /// The minimum time between the starts of two fetches, regardless of incoming tokens.
        public let fetchIntervalMin: Duration
        /// The time limit for a fetch.
        public let fetchTimeout: Duration

        /// Durations are clamped: 1 s to 1 h between fetches, from there to 24 h for the refresh interval, and 1 s to 1
        /// min for the timeout.
        public init(
            issuer: String? = nil, rsa: JWTVerifier.Algorithm.RSAScheme = .rs256,
            refreshInterval: Duration = .seconds(300),
            fetchIntervalMin: Duration = .seconds(10), fetchTimeout: Duration = .seconds(5)
        ) {
            self.issuer = issuer
            self.rsa = rsa
            self.fetchIntervalMin = min(max(fetchIntervalMin, .seconds(1)), .seconds(3600))
            self.refreshInterval = min(max(refreshInterval, self.fetchIntervalMin), .seconds(86_400))
            self.fetchTimeout = min(max(fetchTimeout, .seconds(1)), .seconds(60))
        }
    }

    /// The result of a fetch, for logging.
    public enum Event: Sendable, Hashable {
        /// The keys are in use. `skipped` lists the ignored members with the reasons.
        case refreshed(keys: Int, skipped: [String])
        /// The previous keys, if any, stay in use.
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
    /// The time since the cache was created, by its clock.
    private let elapsed: @Sendable () -> Duration
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - settings: the intervals of fetching, and its timeout.
    ///   - clock: measures the intervals and the timeout.
    ///   - observe: called after every fetch; must not block.
    ///   - fetch: gets the key set from its URL. Should bound the bytes read; more than 256 KiB is refused.
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

    /// The last good keys; none before the first fetch. Takes a short lock and never waits for the network.
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

    /// Whether a fetch could provide the key of a token for which none was found.
    func mayGain(keyFor token: CompactToken) -> Bool {
        guard !token.algorithm.isSymmetric else { return false }
        guard let id = token.keyID else { return keys.isEmpty }
        return !keys.keys.contains { $0.id.map { $0.utf8.elementsEqual(id.utf8) } ?? false }
    }

    /// Called for a token whose key is missing. Waits for the running fetch, or starts one if the last is old enough;
    /// otherwise returns immediately.
    func refreshAfterMiss() async {
        await fetchUnlessTooSoon()
    }

    /// The time until the next fetch by `run()`: the interval, or after failures the minimum doubled each time.
    private var pause: Duration {
        let failures = state.withLock { $0.failuresInARow }
        guard failures > 0 else { return settings.refreshInterval }
        let backoff = settings.fetchIntervalMin * (1 << min(failures - 1, 10))
        return min(backoff, settings.refreshInterval)
    }

    private func fetchUnlessTooSoon() async {
        await fetchTask()?.value
    }

    /// The running fetch, or a new one; `nil` when it is too soon for a new one.
    private func fetchTask() -> Task<Void, Never>? {
        state.withLock { state in
            if let fetch = state.fetch { return fetch }
            let now = elapsed()
            if let last = state.lastStart, now - last < settings.fetchIntervalMin { return nil }
            // A separate task, because a cancelled caller must not cancel the fetch that others wait for. It can't
            // finish before it is stored, because finishing takes the same lock.
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
            let keys = try VerificationKeys(
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

        var description: String { "The key set did not arrive within \(timeout)." }
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

#endif
