/// What a bus reports to its node.
package enum BusEvent: Hashable, Sendable {
    /// The link works. Nothing is subscribed to yet, also after an outage.
    case restored
    /// The link is gone, with all subscriptions and everything that was under way. Messages without `published` may or
    /// may not have been heard.
    case lost
    /// The node gets every message that is published to these topics from now on.
    case subscribed([ClusterTopic])
    /// The bus has taken the message.
    ///
    /// - `receivers`: the other nodes to which it goes, as a hint; `nil` if the bus can't count.
    case published(number: UInt64, receivers: Int?)
    case heard(ClusterFrame)
}

/// The way between the nodes of a cluster. It tells nodes sooner what the store would tell them anyway; it may lose,
/// repeat and delay messages, and it may be away.
///
/// What a node can rely on:
/// - A message goes to the nodes that have subscribed to its topic, and not to its sender.
/// - Messages of one node to one topic are heard in their order, if they are heard.
/// - A node that loses messages loses its link, and hears so (`lost`). The exception is a bus whose two halves don't
///   know of each other; the registry and the comparison of heads heal that.
///
/// Events come one at a time. A listener may call the bus.
package protocol ClusterBus: Sendable {
    /// Links the node. Called once, before everything else.
    func start(_ listener: @escaping @Sendable (BusEvent) -> Void)
    /// Ends the link. No event follows.
    func stop()
    /// Ends the link, which comes back by itself: for a node that can't keep up. It hears `lost`, and then `restored`.
    func reset()
    /// Answered by `subscribed`, unless the link is lost before.
    func subscribe(_ topics: [ClusterTopic])
    func unsubscribe(_ topics: [ClusterTopic])
    /// Answered by `published`, unless the link is lost before. Ignored while there is no link.
    ///
    /// - Parameter number: the caller's, for the answer.
    func publish(_ message: ClusterMessage, to topic: ClusterTopic, number: UInt64, at time: HybridTime)
}
