/// A shard's request to the bus. Performed in order, and never answered by an error: while there is no link, requests
/// do nothing, and the shard hears of it (`HubInput.busLost`).
package enum BusRequest: Equatable, Sendable {
    /// - `number`: 0, or a number that `HubInput.busPublished` reports when the bus has taken the message.
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

/// A node has one bus and several shards: the shell adds the shard to the number of a publication, and takes it out of
/// the report.
extension BusRequest {
    private static let shardBits: UInt64 = 16

    package func numbered(for shard: Int) -> BusRequest {
        guard case .publish(let message, let topic, let number, let time) = self, number != 0 else { return self }
        return .publish(
            message, to: topic, number: number << Self.shardBits | UInt64(clamping: shard), at: time)
    }

    /// - Returns: `nil` for a publication without a number.
    package static func shard(of number: UInt64) -> (shard: Int, number: UInt64)? {
        guard number != 0 else { return nil }
        return (Int(number & (1 << shardBits - 1)), number >> shardBits)
    }
}
