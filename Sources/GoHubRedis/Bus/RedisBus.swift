package import GoHubCore
package import GoHubSystem
internal import Synchronization

/// The bus over Redis, as one node has it. A thread of its own keeps the link; nobody who calls the bus waits for it.
///
/// Events are reported on that thread.
package final class RedisBus: ClusterBus {
    private let mailbox: BusMailbox
    private let lookup: HostLookup
    private let board = RedisBusBoard()
    private let limits: RedisLimits
    private let report: @Sendable (RedisBusReport) -> Void
    private let makeLink: @Sendable () -> RedisLink
    private let thread = Mutex<SystemThread?>(nil)

    /// - Parameters:
    ///   - node: this node in this life.
    ///   - authenticators: of the cluster's current key, which signs, and of earlier ones that are still accepted;
    ///     empty without a key.
    ///   - limits: consistent ones: `contradictions` finds none.
    ///   - report: receives what an operator should read, on the bus thread.
    /// - Throws: if the system has no descriptor left.
    package convenience init(
        node: NodeID, _ location: RedisLocation, prefix: ClusterPrefix = .standard,
        authenticators: [FrameAuthenticator] = [], limits: RedisLimits = RedisLimits(),
        report: @escaping @Sendable (RedisBusReport) -> Void = { _ in }
    ) throws(SystemError) {
        let addressesMax = limits.addressesMax
        try self.init(
            node: node, location, prefix: prefix, authenticators: authenticators, limits: limits, report: report,
            resolve: { HostLookup.system($0, addressesMax: addressesMax) })
    }

    /// - Parameter resolve: looks up a host that isn't written as an IP address; may block.
    init(
        node: NodeID, _ location: RedisLocation, prefix: ClusterPrefix, authenticators: [FrameAuthenticator],
        limits: RedisLimits, report: @escaping @Sendable (RedisBusReport) -> Void,
        resolve: @escaping @Sendable (RedisAddress) -> HostLookup.Addresses
    ) throws(SystemError) {
        self.limits = limits
        self.report = report
        mailbox = try BusMailbox(bytesMax: limits.mailboxBytesMax)
        lookup = HostLookup(lookupsMax: limits.lookupsMax, wakeup: mailbox.wakeup, resolve: resolve)
        makeLink = {
            let names = ChannelNames(prefix: prefix)
            return RedisLink(
                own: node.incarnation, name: "gohub-\(node.name)", location: location, names: names,
                codec: FrameCodec(names: names, authenticators: authenticators), limits: limits, now: .now(),
                random: { .random(in: .min ... .max) })
        }
    }

    deinit {
        stop()
    }

    // MARK: What the bus tells of itself

    package var status: RedisBusStatus { board.current }

    /// The number of the current link, or of the last one; 0 before the first. Each `restored` begins the next one.
    ///
    /// For a node whose parts hear of events later than they are reported: with the number, a request for a link that
    /// was lost meanwhile isn't taken for one of the next.
    package var link: UInt64 { mailbox.link }

    // MARK: Requests

    package func start(_ listener: @escaping @Sendable (BusEvent) -> Void) {
        let (mailbox, lookup, board, limits, report, makeLink) = (mailbox, lookup, board, limits, report, makeLink)
        do throws(SystemError) {
            let started = try SystemThread(name: "gohub-redis") {
                BusThread(makeLink(), mailbox, lookup, board, limits: limits, listener: listener, report: report).run()
            }
            thread.withLock { $0 = started }
        } catch {
            report(
                .failed(
                    RedisError(
                        .limit,
                        "Redis: no thread could be started for the bus (\(error)). Raise the limit of processes and "
                            + "restart the hub.", underlying: error)))
        }
    }

    /// Sends what was published before, and waits for the answers for `RedisLimits.stopTimeout` at most. An event that
    /// is being reported ends first, so the caller must hold nothing that the listener waits for.
    package func stop() {
        mailbox.stop()
        guard let thread = thread.withLock({ $0.take() }) else { return }
        // The listener may stop the bus.
        if thread.isCurrent { thread.detach() } else { thread.join() }
    }

    package func reset() { mailbox.reset() }

    package func subscribe(_ topics: [ClusterTopic]) { mailbox.put(.subscribe(topics)) }

    package func unsubscribe(_ topics: [ClusterTopic]) { mailbox.put(.unsubscribe(topics)) }

    package func publish(_ message: ClusterMessage, to topic: ClusterTopic, number: UInt64, at time: HybridTime) {
        mailbox.put(.publish(message, to: topic, number: number, at: time))
    }

    /// Compares this node's server with those of the other nodes, after each reading of the registry.
    ///
    /// - Parameter others: the other nodes' `NodeStatus.busID`, with repetitions.
    package func compare(with others: [String]) { mailbox.put(.compare(others)) }

    // MARK: Requests for a link

    package func subscribe(_ topics: [ClusterTopic], for link: UInt64) { mailbox.put(.subscribe(topics), for: link) }

    package func unsubscribe(_ topics: [ClusterTopic], for link: UInt64) {
        mailbox.put(.unsubscribe(topics), for: link)
    }

    package func publish(
        _ message: ClusterMessage, to topic: ClusterTopic, number: UInt64, at time: HybridTime, for link: UInt64
    ) {
        mailbox.put(.publish(message, to: topic, number: number, at: time), for: link)
    }
}
