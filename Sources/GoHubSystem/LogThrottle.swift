internal import Synchronization

/// Bounds how often one kind of trouble is logged, which may happen a thousand times a second while something is wrong:
/// one line in a while is written, and says how many were not.
package final class LogThrottle: Sendable {
    private struct State {
        var quietUntil: UInt64 = 0
        var leftOut = 0
    }

    package static let standardInterval: UInt64 = 10_000_000_000

    private let interval: UInt64
    private let state = Mutex(State())

    /// - Parameter interval: nanoseconds from one line to the next.
    package init(interval: UInt64 = LogThrottle.standardInterval) {
        self.interval = interval
    }

    /// - Parameters:
    ///   - count: what happened now counts as so many.
    ///   - now: nanoseconds of a clock that doesn't go back.
    ///   - write: writes the line, if it is due. It gets the count of what was left out since the last line, without
    ///     this call's own.
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
