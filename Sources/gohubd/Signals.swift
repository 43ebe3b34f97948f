internal import Glibc
internal import Logging
internal import UnixSignals

/// What the process does when it is told something from outside.
///
/// SIGTERM and SIGINT stop it, a second of them at once; SIGHUP has it read certificates and keys again.
struct Signals {
    private let signals: UnixSignalsSequence

    /// From here on the signals are caught; nothing is done about them before `watch`.
    init() async {
        // A peer, or a log that nobody reads any more, is told by EPIPE.
        signal(SIGPIPE, SIG_IGN)
        signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    }

    /// - Parameters:
    ///   - abort: what must be cleaned up even when the process ends at once.
    /// - Returns: the task that watches, to be cancelled when there is nothing to stop any more.
    func watch(
        reload: @escaping @Sendable () async -> Void, stop: @escaping @Sendable () async -> Void,
        abort: @escaping @Sendable () -> Void, logger: Logger
    ) -> Task<Void, Never> {
        Task { [signals] in
            var isStopping = false
            for await signal in signals {
                switch signal {
                case .sighup:
                    // Files can be slow, and the next signal mustn't wait for them.
                    Task { await reload() }
                default:
                    guard !isStopping else {
                        logger.warning("a second signal: stopping at once", metadata: ["signal": "\(signal)"])
                        abort()
                        LoggingSetup.flush()
                        exit(1)
                    }
                    isStopping = true
                    logger.notice("stopping", metadata: ["signal": "\(signal)"])
                    await stop()
                }
            }
        }
    }
}
