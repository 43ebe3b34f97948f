package import GoHubCore
internal import Synchronization

/// A server's bus, and who is told what concerns the node as a whole: the link, beats, goodbyes, questions and replies.
package struct ServerBus: Sendable {
    package var bus: any ClusterBus
    /// Called by the bus, one event at a time.
    package var listener: @Sendable (BusEvent) -> Void

    package init(_ bus: any ClusterBus, listener: @escaping @Sendable (BusEvent) -> Void) {
        self.bus = bus
        self.listener = listener
    }
}

/// Between the bus and the loops: passes each event to the shard of its subject, and what concerns the node as a whole
/// to its listener.
///
/// What waits for a loop is bounded: beyond `ClusterLimits.busInboxBytesMax` the link is reset, as a bus does with a
/// slow reader. The shards then poll the store, and begin anew.
final class BusRouter: Sendable {
    private let bus: any ClusterBus
    private let node: NodeIncarnation
    private let mailboxes: [Mailbox<LoopMessage>]
    private let listener: @Sendable (BusEvent) -> Void
    private let waitingBytes: [WaitingBytes]
    private let bytesMax: Int
    /// Whether the link is being reset, so that nothing of it counts any more.
    private let isResetting = Atomic(false)

    /// The bytes of messages that a loop has not taken yet.
    final class WaitingBytes: Sendable {
        let count = Atomic(0)
    }

    init(_ link: ServerBus, node: NodeIncarnation, mailboxes: [Mailbox<LoopMessage>], limits: ClusterLimits) {
        bus = link.bus
        listener = link.listener
        self.node = node
        self.mailboxes = mailboxes
        waitingBytes = mailboxes.map { _ in WaitingBytes() }
        bytesMax = limits.busInboxBytesMax
    }

    func start() {
        bus.start { [self] in received($0) }
    }

    /// Says goodbye to the other nodes. Blocks until no event follows.
    func stop() {
        bus.publish(.bye, to: .all, number: 0, at: HybridTime(value: 0))
        bus.stop()
    }

    func perform(_ request: BusRequest, of loop: Int) {
        bus.perform(request.numbered(for: loop))
    }

    /// A loop has taken a message.
    func taken(_ frame: ClusterFrame, by loop: Int) {
        waitingBytes[loop].count.subtract(frame.message.weight, ordering: .relaxed)
    }

    // MARK: Events

    private func received(_ event: BusEvent) {
        switch event {
        case .restored:
            isResetting.store(false, ordering: .relaxed)
            // Answers to the shards' own messages come to this node's topic.
            bus.subscribe([.all, .node(node)])
            putToAll(.busRestored(.now()))
            listener(event)
        case .lost:
            putToAll(.busLost)
            listener(event)
        case .subscribed(let topics):
            for (loop, inputs) in byLoop(topics) { mailboxes[loop].put(inputs) }
            listener(event)
        case .published(let number, let receivers):
            guard let (loop, number) = BusRequest.shard(of: number), mailboxes.indices.contains(loop) else {
                return
            }
            mailboxes[loop].put([.input(.busPublished(number, receivers: receivers))])
        case .heard(let frame): received(frame, event)
        }
    }

    private func putToAll(_ input: HubInput) {
        for mailbox in mailboxes { mailbox.put([.input(input)]) }
    }

    private func byLoop(_ topics: [ClusterTopic]) -> [Int: [LoopMessage]] {
        var messages: [Int: [LoopMessage]] = [:]
        for topic in topics where topic.isOfShard {
            messages[ServerShared.shard(of: topic.owner, count: mailboxes.count), default: []].append(
                .input(.subscribed(topic)))
        }
        return messages
    }

    private func received(_ frame: ClusterFrame, _ event: BusEvent) {
        guard !isResetting.load(ordering: .relaxed) else { return }
        guard frame.isForShard else { return listener(event) }
        let loop = ServerShared.shard(of: frame.owner, count: mailboxes.count)
        let waiting = waitingBytes[loop].count.add(frame.message.weight, ordering: .relaxed).newValue
        guard waiting <= bytesMax else {
            waitingBytes[loop].count.subtract(frame.message.weight, ordering: .relaxed)
            isResetting.store(true, ordering: .relaxed)
            return bus.reset()
        }
        mailboxes[loop].put([.busFrame(frame)])
    }
}
