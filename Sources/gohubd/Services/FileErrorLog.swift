internal import GoHubCore
internal import GoHubSystem

/// Reports file failures, at most one line in ten seconds: a full disk fails all requests.
final class FileErrorLog: Sendable {
    private let throttle = LogThrottle()
    private let log: @Sendable (String) -> Void

    init(log: @escaping @Sendable (String) -> Void) {
        self.log = log
    }

    func report(_ text: String, now: MonotonicTime = .now()) {
        throttle.log(now: now.nanoseconds) { _ in log(text) }
    }
}
