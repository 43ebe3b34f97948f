/// A shard's request to the bus. Performed in order, and never answered by an error: while there is no link, requests do
/// nothing, and the shard hears of it (`HubInput.busLost`).
package enum BusRequest: Equatable, Sendable {
    /// - `number`: 0, or a number that `HubInput.busTook` reports when the bus has taken the message.
    case publish(ClusterMessage, to: ClusterTopic, number: UInt64, at: HybridTime)
    case subscribe([ClusterTopic])
    case unsubscribe([ClusterTopic])
}

extension ClusterBus {
    package func perform(_ request: BusRequest) {
        switch request {
        case .publish(let message, let topic, let number, let time):
            publish(message, to: topic, number: number, at: time)
        case .subscribe(let topics): subscribe(topics)
        case .unsubscribe(let topics): unsubscribe(topics)
        }
    }
}
