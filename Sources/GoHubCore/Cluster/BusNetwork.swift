internal import DequeModule

/// A bus in memory as a value, with every fault that a real one has: for a simulation, and without faults for nodes in
/// one process (`InMemoryBus`).
///
/// Everything under way waits here until `next` takes it. Which goes first is chosen by the caller's generator, so a
/// seed repeats a run. Time is an argument.
package struct BusNetwork: Sendable {
    /// The rate of each fault: one in this many messages on average; 0 for never.
    package struct Faults: Hashable, Sendable {
        /// One receiver does not get the message. Neither node gets a report of it.
        package var dropOnceIn: UInt64 = 0
        /// One receiver gets it twice.
        package var repeatOnceIn: UInt64 = 0
        /// A receiver hears a later message of the same sender first.
        package var reorderOnceIn: UInt64 = 0
        /// The message is heard, and its sender loses the link instead of its answer.
        package var loseReplyOnceIn: UInt64 = 0
        /// The longest time that a message is under way.
        package var delayMax: Milliseconds = 0
        /// Whether the bus doesn't count receivers.
        package var hidesReceivers = false

        package init() {}
    }

    private struct Letter: Sendable {
        var due: MonotonicTime
        var event: BusEvent
        var weight: Int
    }

    private struct Link: Sendable {
        var isUp = true
        var topics: Set<ClusterTopic> = []
        /// By sender; the node's own are answers of the bus.
        var inbox: [NodeIncarnation: Deque<Letter>] = [:]
        var inboxBytes = 0
    }

    private struct Pair: Hashable, Sendable {
        var low: NodeIncarnation
        var high: NodeIncarnation

        init(_ one: NodeIncarnation, _ other: NodeIncarnation) {
            (low, high) = one < other ? (one, other) : (other, one)
        }
    }

    package var faults = Faults()
    private let limits: ClusterLimits
    private var links: [NodeIncarnation: Link] = [:]
    private var subscribers: [ClusterTopic: Set<NodeIncarnation>] = [:]
    private var partitions: Set<Pair> = []

    package init(limits: ClusterLimits) {
        self.limits = limits
    }

    // MARK: Links

    /// Links a node, for the first time or again. It hears `restored`.
    package mutating func connect(_ node: NodeIncarnation) {
        guard links[node]?.isUp != true else { return }
        links[node, default: Link()].isUp = true
        answer(.restored, to: node)
    }

    /// Ends a node's link. The node gets `lost`, and no message that was under way to it.
    package mutating func reset(_ node: NodeIncarnation) {
        guard links[node]?.isUp == true else { return }
        forget(node)
        links[node] = Link(isUp: false)
        answer(.lost, to: node)
    }

    /// Removes a node that hears nothing any more. What it has sent is still heard.
    package mutating func remove(_ node: NodeIncarnation) {
        forget(node)
        links[node] = nil
    }

    private mutating func forget(_ node: NodeIncarnation) {
        for topic in links[node]?.topics ?? [] { removeSubscriber(node, from: topic) }
    }

    package func isUp(_ node: NodeIncarnation) -> Bool { links[node]?.isUp == true }

    /// Nothing goes between the two nodes, and neither notices: as if each were linked to another half of the bus.
    package mutating func part(_ one: NodeIncarnation, from other: NodeIncarnation) {
        partitions.insert(Pair(one, other))
    }

    package mutating func join(_ one: NodeIncarnation, with other: NodeIncarnation) {
        partitions.remove(Pair(one, other))
    }

    package mutating func joinAll() { partitions = [] }

    // MARK: Requests

    package mutating func subscribe(_ node: NodeIncarnation, to topics: [ClusterTopic]) {
        guard isUp(node) else { return }
        var count = links[node]?.topics.count ?? 0
        for topic in topics where links[node]?.topics.contains(topic) == false {
            // A node with more topics than can be is disconnected, as by a bus that runs out of memory.
            guard count < limits.busTopicsMax else { return reset(node) }
            count += 1
            links[node]?.topics.insert(topic)
            subscribers[topic, default: []].insert(node)
        }
        answer(.subscribed(topics), to: node)
    }

    package mutating func unsubscribe(_ node: NodeIncarnation, from topics: [ClusterTopic]) {
        for topic in topics where links[node]?.topics.remove(topic) != nil { removeSubscriber(node, from: topic) }
    }

    private mutating func removeSubscriber(_ node: NodeIncarnation, from topic: ClusterTopic) {
        subscribers[topic]?.remove(node)
        if subscribers[topic]?.isEmpty == true { subscribers[topic] = nil }
    }

    package mutating func publish(
        _ frame: ClusterFrame, number: UInt64, now: MonotonicTime, using generator: inout some RandomNumberGenerator
    ) {
        guard isUp(frame.from) else { return }
        var receivers = 0
        for node in (subscribers[frame.topic] ?? []).sorted() where node != frame.from {
            guard !partitions.contains(Pair(node, frame.from)) else { continue }
            receivers += 1
            if happens(faults.dropOnceIn, &generator) { continue }
            let copies = happens(faults.repeatOnceIn, &generator) ? 2 : 1
            for _ in 0..<copies { send(frame, to: node, now: now, using: &generator) }
        }
        if happens(faults.loseReplyOnceIn, &generator) { return reset(frame.from) }
        answer(.published(number: number, receivers: faults.hidesReceivers ? nil : receivers), to: frame.from)
    }

    private mutating func send(
        _ frame: ClusterFrame, to node: NodeIncarnation, now: MonotonicTime,
        using generator: inout some RandomNumberGenerator
    ) {
        let delay = faults.delayMax.value > 0 ? generator.next(upperBound: faults.delayMax.value + 1) : 0
        let letter = Letter(due: now + Milliseconds(delay), event: .heard(frame), weight: frame.message.weight)
        links[node]?.inbox[frame.from, default: []].append(letter)
        links[node]?.inboxBytes += letter.weight
        if let bytes = links[node]?.inboxBytes, bytes > limits.busInboxBytesMax { reset(node) }
    }

    /// Answers the node. The answer has no delay of its own: the delay of a request is the delay of its answer.
    private mutating func answer(_ event: BusEvent, to node: NodeIncarnation) {
        links[node]?.inbox[node, default: []].append(
            Letter(due: MonotonicTime(nanoseconds: 0), event: event, weight: 0))
    }

    private func happens(_ onceIn: UInt64, _ generator: inout some RandomNumberGenerator) -> Bool {
        onceIn > 0 && generator.next(upperBound: onceIn) == 0
    }

    // MARK: Delivery

    /// Whether anything is under way, due or not.
    package var isEmpty: Bool { links.values.allSatisfy { $0.inbox.isEmpty } }

    /// The time at which the next message is heard; `nil` if there is none.
    package var due: MonotonicTime? {
        links.values.flatMap { $0.inbox.values.compactMap { $0.first?.due } }.min()
    }

    /// Takes one event that is due. A node that is excluded hears nothing: it stands still.
    package mutating func next(
        now: MonotonicTime, excluding: Set<NodeIncarnation> = [], using generator: inout some RandomNumberGenerator
    ) -> (node: NodeIncarnation, event: BusEvent)? {
        var choices: [(node: NodeIncarnation, sender: NodeIncarnation)] = []
        for (node, link) in links where !excluding.contains(node) {
            for (sender, letters) in link.inbox {
                if let first = letters.first, first.due <= now { choices.append((node, sender)) }
            }
        }
        choices.sort { ($0.node, $0.sender) < ($1.node, $1.sender) }
        guard let (node, sender) = choices.randomElement(using: &generator) else { return nil }
        return take(node, sender, now: now, using: &generator).map { (node, $0) }
    }

    private mutating func take(
        _ node: NodeIncarnation, _ sender: NodeIncarnation, now: MonotonicTime,
        using generator: inout some RandomNumberGenerator
    ) -> BusEvent? {
        // Answers of the bus keep their order.
        let isReordered = node != sender && happens(faults.reorderOnceIn, &generator)
        let letters = links[node]?.inbox[sender] ?? []
        let later =
            isReordered ? letters.indices.filter { letters[$0].due <= now }.randomElement(using: &generator) : nil
        guard let letter = links[node]?.inbox[sender]?.remove(at: later ?? 0) else { return nil }
        links[node]?.inboxBytes -= letter.weight
        if links[node]?.inbox[sender]?.isEmpty == true { links[node]?.inbox[sender] = nil }
        return letter.event
    }
}
