internal import GoHubCore
internal import GoHubSystem

/// Tells what goes wrong with files, one line in ten seconds: a disk that is full fails all of them.
final class FileComplaints: Sendable {
    private let throttle = LogThrottle()
    private let log: @Sendable (String) -> Void

    init(log: @escaping @Sendable (String) -> Void) {
        self.log = log
    }

    func report(_ text: String, now: MonotonicTime = .now()) {
        throttle.log(now: now.nanoseconds) { _ in log(text) }
    }
}
