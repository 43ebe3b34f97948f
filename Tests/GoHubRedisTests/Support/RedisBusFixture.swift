import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubCore
@testable import GoHubRedis

/// A node on the bus over Redis, with what its operator reads.
final class RedisBusFixture: Sendable {
    let node: BusNode
    let bus: RedisBus
    private let reported: Reported

    final class Reported: Sendable {
        private let all = Mutex<[RedisBusReport]>([])

        var reports: [RedisBusReport] { all.withLock { $0 } }

        func add(_ report: RedisBusReport) { all.withLock { $0.append(report) } }
    }

    var reports: [RedisBusReport] { reported.reports }

    /// - Parameter resolve: looks up names; `nil` for the system's look-up.
    init(
        _ number: UInt64 = 1, _ location: RedisLocation, authenticators: [FrameAuthenticator] = [],
        limits: RedisLimits = .quick, resolve: (@Sendable (RedisAddress) -> HostLookup.Addresses)? = nil
    ) throws {
        let reported = Reported()
        let made = Mutex<RedisBus?>(nil)
        node = try BusNode(number) { id in
            let bus = try RedisBus(
                node: id, location, prefix: .standard, authenticators: authenticators, limits: limits,
                report: { reported.add($0) }, resolve: resolve ?? { HostLookup.system($0, addressesMax: 8) })
            made.withLock { $0 = bus }
            return bus
        }
        self.reported = reported
        bus = try #require(made.withLock { $0 })
    }

    /// Waits until the operator reads of something.
    func report(where isWanted: (RedisBusReport) -> Bool) async throws -> RedisBusReport {
        while true {
            if let found = reports.first(where: isWanted) { return found }
            // Ends with the test's time limit.
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

extension RedisLimits {
    /// Short waits, for servers that fail on purpose.
    static let quick: RedisLimits = {
        var limits = RedisLimits()
        limits.backoff = Backoff(min: 10, max: 100)
        limits.sentinelBackoff = Backoff(min: 10, max: 100)
        limits.rivalsEvery = 0
        return limits
    }()
}
