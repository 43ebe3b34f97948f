internal import GoHubCore
internal import GoHubSystem
internal import Logging

extension LogThrottle {
    /// Writes a line, if one is due, with the number of those that were left out.
    ///
    /// - Returns: whether the line was written.
    @discardableResult
    func log(
        _ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata, now: MonotonicTime,
        to logger: Logger
    ) -> Bool {
        log(now: now.nanoseconds) { leftOut in
            let since: Logger.Metadata = leftOut > 0 ? ["notLogged": "\(leftOut)"] : [:]
            logger.log(level: level, message, metadata: metadata.merging(since) { $1 })
        }
    }
}
