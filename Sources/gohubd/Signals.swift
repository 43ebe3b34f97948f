internal import Glibc
internal import Logging
internal import UnixSignals

/// The process's reactions to signals.
///
/// SIGTERM and SIGINT stop it, a second one immediately; SIGHUP reloads certificates and keys.
struct Signals {
    private let signals: UnixSignalsSequence

    /// From here on the signals are caught; they have no effect before `watch`.
    init() async {
        // EPIPE reports a peer, or a reader of the log, that has gone.
        signal(SIGPIPE, SIG_IGN)
        signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    }

    /// - Parameters:
    ///   - abort: cleanup that is necessary even when the process ends immediately.
    /// - Returns: the watching task. Cancel it when there is nothing left to stop.
    func watch(
        reload: @escaping @Sendable () async -> Void, stop: @escaping @Sendable () async -> Void,
        abort: @escaping @Sendable () -> Void, logger: Logger
    ) -> Task<Void, Never> {
        Task { [signals] in
            var isStopping = false
            for await signal in signals {
                switch signal {
                case .sighup:
                    // Files can be slow, and the next signal must not wait for them.
                    Task { await reload() }
                default:
                    guard !isStopping else {
                        logger.warning("received a second signal: stopping at once", metadata: ["signal": "\(signal)"])
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
