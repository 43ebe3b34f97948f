internal import Logging

/// Chooses how the process logs: always to standard error, so that standard output stays for results.
enum LoggingSetup {
    /// To be called once, before the first logger is made.
    static func bootstrap(_ configuration: DaemonConfiguration.Log) {
        LoggingSystem.bootstrap { label in
            var handler: any LogHandler =
                switch configuration.format {
                case .text: StreamLogHandler.standardError(label: label)
                case .json: JSONLogHandler(label: label)
                }
            handler.logLevel = configuration.level
            return handler
        }
    }
}

extension Logger {
    /// The same logger, but only for what is at least as severe: for libraries that log each step.
    func quieted(to level: Level) -> Logger {
        var logger = self
        logger.logLevel = max(logger.logLevel, level)
        return logger
    }
}
