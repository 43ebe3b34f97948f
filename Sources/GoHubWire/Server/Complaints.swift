internal import GoHubCore
internal import Logging
internal import Synchronization

/// One thing worth a line in the log that may happen a thousand times a second while something is wrong: one line in a
/// while is written, and tells how many were not.
final class Complaints: Sendable {
    private struct State {
        var quietUntil = MonotonicTime(nanoseconds: 0)
        var leftOut = 0
    }

    static let interval: Milliseconds = 10_000

    private let state = Mutex(State())
    private let logger: Logger

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// - Returns: whether the line was written.
    @discardableResult
    func log(
        _ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata, now: MonotonicTime
    ) -> Bool {
        let leftOut = state.withLock { state -> Int? in
            guard state.quietUntil <= now else {
                state.leftOut += 1
                return nil
            }
            defer { state.leftOut = 0 }
            state.quietUntil = now + Self.interval
            return state.leftOut
        }
        guard let leftOut else { return false }
        let since: Logger.Metadata = leftOut > 0 ? ["notLogged": "\(leftOut)"] : [:]
        logger.log(level: level, message, metadata: metadata.merging(since) { $1 })
        return true
    }
}
