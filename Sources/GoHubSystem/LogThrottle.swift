internal import Synchronization

/// Limits the rate of one kind of log line. A failure may occur a thousand times a second: one line per interval is
/// written, with the number of omitted ones.
package final class LogThrottle: Sendable {
    private struct State {
        var quietUntil: UInt64 = 0
        var leftOut = 0
    }

    package static let standardInterval: UInt64 = 10_000_000_000

    private let interval: UInt64
    private let state = Mutex(State())

    /// - Parameter interval: the minimum time between two lines, in nanoseconds.
    package init(interval: UInt64 = LogThrottle.standardInterval) {
        self.interval = interval
    }

    /// - Parameters:
    ///   - count: the number of occurrences that this call reports.
    ///   - now: the time of a monotonic clock, in nanoseconds.
    ///   - write: writes the line if it is due. Its argument is the number of occurrences omitted since the last line,
    ///     without this call's.
    /// - Returns: whether the line was written.
    @discardableResult
    package func log(_ count: Int = 1, now: UInt64, _ write: (_ leftOut: Int) -> Void) -> Bool {
        let leftOut = state.withLock { state -> Int? in
            guard state.quietUntil <= now else {
                state.leftOut += count
                return nil
            }
            defer { state.leftOut = 0 }
            state.quietUntil = now.addingReportingOverflow(interval).overflow ? .max : now + interval
            return state.leftOut
        }
        guard let leftOut else { return false }
        write(leftOut)
        return true
    }
}
