/// A shard's subscriptions on the bus: to its rooms with members, and its users with sessions.
///
/// The store is read for a room when its subscription is confirmed: what is stored later arrives by the bus, and what
/// was stored before is read. So no lock is needed between the two.
///
/// A topic: asked → confirmed → unsubscribed. One that isn't wanted any more before it is confirmed stays until then:
/// otherwise its confirmation could be taken for that of a later request.
package struct BusSubscriptions: Sendable {
    private struct Topic: Sendable {
        var isConfirmed = false
        var isWanted = true
        /// Whether it was wanted when the link came back.
        var isCounted = false
    }

    private enum Link: Sendable {
        case down
        /// The link is back. `unconfirmed` of the topics that were wanted then are not confirmed yet.
        case returning(unconfirmed: Int)
        case up
    }

    package enum Answer: Equatable, Sendable {
        /// The topic is confirmed, or there is no link.
        case goOn
        /// The caller waits for the confirmation, or for the loss of the link.
        case wait(mustSubscribe: Bool)
    }

    package enum Confirmation: Equatable, Sendable {
        case confirmed
        /// It isn't wanted any more; it is to be unsubscribed from.
        case unwanted
        /// It was confirmed before, or belongs to an earlier link.
        case unknown
    }

    private var link = Link.down
    private var topics: [ClusterTopic: Topic] = [:]

    package init() {}

    package var count: Int { topics.count }
    /// Whether messages can be published.
    package var isLinked: Bool { if case .down = link { false } else { true } }
    /// Whether everything arrives: every topic is confirmed that was wanted when the link came back.
    package var isComplete: Bool { if case .up = link { true } else { false } }

    package mutating func want(_ topic: ClusterTopic) -> Answer {
        guard isLinked else { return .goOn }
        guard let known = topics[topic] else {
            topics[topic] = Topic()
            return .wait(mustSubscribe: true)
        }
        topics[topic]?.isWanted = true
        return known.isConfirmed ? .goOn : .wait(mustSubscribe: false)
    }

    /// - Returns: whether the topic is to be unsubscribed from now.
    package mutating func drop(_ topic: ClusterTopic) -> Bool {
        guard let known = topics[topic] else { return false }
        guard known.isConfirmed else {
            topics[topic]?.isWanted = false
            return false
        }
        topics[topic] = nil
        return true
    }

    package mutating func confirmed(_ topic: ClusterTopic) -> Confirmation {
        guard let known = topics[topic], !known.isConfirmed else { return .unknown }
        if known.isCounted, case .returning(let unconfirmed) = link { link = .returning(unconfirmed: unconfirmed - 1) }
        guard known.isWanted else {
            topics[topic] = nil
            return .unwanted
        }
        topics[topic]?.isConfirmed = true
        return .confirmed
    }

    /// Handles the loss of the link, with all subscriptions.
    package mutating func lost() {
        link = .down
        topics = [:]
    }

    /// Handles the return of the link. All of the topics are to be subscribed to.
    package mutating func restored(_ wanted: [ClusterTopic]) {
        topics = Dictionary(wanted.map { ($0, Topic(isCounted: true)) }, uniquingKeysWith: { first, _ in first })
        link = .returning(unconfirmed: topics.count)
    }

    /// - Returns: whether everything arrives from now on, and didn't before.
    package mutating func completed() -> Bool {
        guard case .returning(let unconfirmed) = link, unconfirmed <= 0 else { return false }
        link = .up
        return true
    }
}
