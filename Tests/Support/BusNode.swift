package import GoHubCore
internal import Synchronization
internal import Testing

/// A node on a bus under test, with the events that it has heard.
package final class BusNode: Sendable {
    package let id: NodeID
    package let bus: any ClusterBus
    private let stream: AsyncStream<BusEvent>
    private let heardCount: Mutex<Int>

    /// - Parameters:
    ///   - number: of the node in its test; not 0.
    ///   - topics: subscribed to by the listener itself, whenever the link comes up.
    package convenience init(
        _ number: UInt64, subscribesWhenRestored topics: [ClusterTopic] = [],
        _ makeBus: (NodeID) throws -> any ClusterBus
    ) throws {
        guard let incarnation = NodeIncarnation(number), let name = NodeName("node-\(number)") else {
            preconditionFailure("no node has the number \(number)")
        }
        let id = NodeID(name: name, incarnation: incarnation)
        try self.init(id, try makeBus(id), topics)
    }

    private init(_ id: NodeID, _ bus: any ClusterBus, _ topics: [ClusterTopic]) throws {
        self.id = id
        self.bus = bus
        let (stream, continuation) = AsyncStream.makeStream(of: BusEvent.self)
        self.stream = stream
        heardCount = Mutex(0)
        bus.start { [weak self] event in
            self?.heardCount.withLock { $0 += 1 }
            continuation.yield(event)
            if event == .restored, !topics.isEmpty { bus.subscribe(topics) }
        }
    }

    deinit {
        bus.stop()
    }

    /// The number of events so far, read or not.
    package var count: Int { heardCount.withLock { $0 } }

    package func stop() { bus.stop() }

    // MARK: Events

    /// Waits for the next event; `nil` when the test's time is up.
    package func next() async -> BusEvent? {
        // The next iterator continues where this one ends.
        for await event in stream { return event }
        return nil
    }

    /// Waits for an event, and passes over those before it.
    @discardableResult
    package func next(where isWanted: (BusEvent) -> Bool) async -> BusEvent? {
        while let event = await next() {
            if isWanted(event) { return event }
        }
        return nil
    }

    /// Subscribes, and waits until all topics are reported.
    package func subscribe(_ topics: [ClusterTopic]) async {
        bus.subscribe(topics)
        var missing = Set(topics)
        while !missing.isEmpty {
            let event = await next()
            guard case .subscribed(let reported) = event else {
                Issue.record("expected subscriptions, not \(String(describing: event))")
                return
            }
            #expect(missing.isSuperset(of: reported))
            missing.subtract(reported)
        }
    }

    // MARK: Messages

    /// Publishes a message that carries the number.
    package func publish(_ number: UInt64, to topic: ClusterTopic) {
        let message: ClusterMessage =
            switch topic {
            case .all: .ask(number: number, .rooms(.standard))
            case .node: .reply(number: number, .removed(sessions: 0))
            case .room: .presenceIs(number)
            case .user(let key): .directTyped(.direct(key.user, .alice), key.user, isActive: number % 2 == 0)
            }
        bus.publish(message, to: topic, number: number, at: HybridTime(value: number))
    }

    /// Waits for the answer to a message.
    ///
    /// - Parameter receivers: `nil` for any number.
    package func expectPublished(_ number: UInt64, receivers: Int?) async {
        let event = await next()
        guard case .published(number, let told) = event else {
            Issue.record("expected an answer to \(number), not \(String(describing: event))")
            return
        }
        if let receivers { #expect(told == receivers) }
    }

    /// Waits for messages of `publish`, and nothing else.
    ///
    /// - Returns: their numbers.
    package func heard(_ count: Int) async -> [UInt64] {
        var numbers: [UInt64] = []
        while numbers.count < count {
            let event = await next()
            guard case .heard(let frame) = event else {
                Issue.record("expected a message, not \(String(describing: event))")
                return numbers
            }
            numbers.append(frame.time.value)
        }
        return numbers
    }
}
