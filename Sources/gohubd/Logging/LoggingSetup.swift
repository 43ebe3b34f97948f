internal import Glibc
internal import GoHubConfiguration
internal import GoHubCore
internal import Logging
internal import Synchronization

/// Sets up logging: always to standard error, so that standard output stays for results.
enum LoggingSetup {
    private static let output = Mutex<LogOutput?>(nil)

    /// Must be called once, before the first logger is created.
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
            let message = "log lines were dropped: the log was not read fast enough, or it was not writable"
            return switch format {
            case .text: "warning gohubd: \(count) \(message)\n"
            case .json:
                #"{"time":\#(WallTime.now().milliseconds),"level":"warning","logger":"gohubd","message":"\#(message)","#
                    + #""metadata":{"count":"\#(count)"}}"# + "\n"
            }
        }
    }

    /// Before the process ends: gives the last lines a second to be written.
    static func flush() {
        output.withLock { $0 }?.flush()
    }
}

extension Logger {
    /// The same logger, limited to a minimum level: for libraries that log each step.
    func quieted(to level: Level) -> Logger {
        var logger = self
        logger.logLevel = max(logger.logLevel, level)
        return logger
    }
}
