internal import GoHubCore
internal import Synchronization

/// Tells what goes wrong with files, one line in ten seconds: a disk that is full fails all of them.
final class FileComplaints: Sendable {
    private static let interval = Milliseconds.seconds(10)

    private let quietUntil = Mutex(MonotonicTime(nanoseconds: 0))
    private let log: @Sendable (String) -> Void

    init(log: @escaping @Sendable (String) -> Void) {
        self.log = log
    }

    func report(_ text: String, now: MonotonicTime = .now()) {
        let isQuiet = quietUntil.withLock { quietUntil in
            guard quietUntil <= now else { return true }
            quietUntil = now + Self.interval
            return false
        }
        if !isQuiet { log(text) }
    }
}
