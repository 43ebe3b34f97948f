internal import Glibc
internal import GoHubConfiguration
internal import GoHubCore
internal import Logging
internal import Synchronization

/// Chooses how the process logs: always to standard error, so that standard output stays for results.
enum LoggingSetup {
    private static let output = Mutex<LogOutput?>(nil)

    /// To be called once, before the first logger is made.
    static func bootstrap(_ configuration: DaemonConfiguration.Log) {
        let output = makeOutput(configuration.format, descriptor: STDERR_FILENO)
        Self.output.withLock { $0 = output }
        LoggingSystem.bootstrap { label in
            var handler: any LogHandler =
                switch configuration.format {
                case .text: StreamLogHandler(label: label, stream: output)
                case .json: JSONLogHandler(label: label, write: output.write)
                }
            handler.logLevel = configuration.level
            return handler
        }
    }

    static func makeOutput(_ format: DaemonConfiguration.Log.Format, descriptor: Int32) -> LogOutput {
        LogOutput(descriptor: descriptor) { count in
            let message = "log lines were left out: the log was not read as fast as it was written, or not writable"
            return switch format {
            case .text: "warning gohubd: \(count) \(message)\n"
            case .json:
                #"{"time":\#(WallTime.now().milliseconds),"level":"warning","logger":"gohubd","message":"\#(message)","#
                    + #""metadata":{"count":"\#(count)"}}"# + "\n"
            }
        }
    }

    /// Before the process ends: gives the last lines a second to get out.
    static func flush() {
        output.withLock { $0 }?.flush()
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
