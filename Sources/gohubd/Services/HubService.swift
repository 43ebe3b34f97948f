internal import GoHubConfiguration
internal import GoHubCore
internal import GoHubWire
internal import Logging
internal import ServiceLifecycle

/// The hub from its start to the end of its drain.
struct HubService: Service {
    /// The time limit for the event loops to end after everything is closed.
    private static let stopTimeout = Duration.seconds(2)

    let server: HubServer
    let drain: DaemonConfiguration.Drain
    let logger: Logger
    /// Returns when the hub has its place in the cluster, if there is one, and requests other than WebSockets can be
    /// answered; `false` if that will never be so, or when the task is cancelled.
    let waitForOthers: @Sendable () async -> Bool
    let started: @Sendable () -> Void

    func run() async throws {
        // A stop ends the wait, too: this service is the first to stop.
        guard await cancelWhenGracefulShutdown({ await waitForOthers() }) else {
            // Another service reports the reason, if there is one, and the group is about to be stopped.
            return try await gracefulShutdown()
        }
        try server.start()
        started()
        do {
            try await gracefulShutdown()
            await drainWithinDeadline()
        } catch {
            // Another service has failed, which ends the process: there is no time for a drain.
        }
        await Self.within(Self.stopTimeout) { [server] in await server.stop() }
    }

    private func drainWithinDeadline() async {
        let before = await server.statistics()
        logger.notice(
            "draining: no longer ready or accepting connections",
            metadata: ["sessions": "\(before.sessions)", "connections": "\(before.connections)"])
        let deadline = Duration.milliseconds(Int64(clamping: drain.deadline.value))
        let isDone = await Self.within(deadline) { [server, drain] in await server.drain(drain.plan) }
        guard !isDone else {
            logger.notice("drained")
            return
        }
        let after = await server.statistics()
        logger.warning(
            "the drain deadline has passed: closing the remaining connections",
            metadata: ["sessions": "\(after.sessions)", "connections": "\(after.connections)"])
    }

    /// Waits for an operation up to a time limit, after which it is abandoned.
    ///
    /// - Returns: whether it was in time.
    @discardableResult
    static func within(_ time: Duration, _ work: @escaping @Sendable () async -> Void) async -> Bool {
        let (finished, finishing) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingOldest(1))
        let working = Task {
            await work()
            finishing.yield(true)
        }
        let waiting = Task {
            try? await Task.sleep(for: time)
            finishing.yield(false)
        }
        defer {
            working.cancel()
            waiting.cancel()
        }
        for await isDone in finished { return isDone }
        return false
    }
}
