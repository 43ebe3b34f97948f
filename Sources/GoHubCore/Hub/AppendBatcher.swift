/// Group commit: messages that arrive while a batch is in the store form the next batch.
///
/// One batch is in flight at a time, so that the messages of a room reach the store in order of arrival.
package struct AppendBatcher: Sendable {
    /// The maximum number of messages in one batch.
    package static let batchMax = 4096

    private var waiting: [AppendRequest] = []
    private var isInFlight = false

    package init() {}

    package mutating func add(_ appendRequest: AppendRequest) {
        waiting.append(appendRequest)
    }

    /// The next batch for the store; `nil` while one is in flight, or when nothing waits.
    package mutating func nextBatch() -> [AppendRequest]? {
        guard !isInFlight, !waiting.isEmpty else { return nil }
        isInFlight = true
        guard waiting.count > Self.batchMax else {
            defer { waiting = [] }
            return waiting
        }
        defer { waiting.removeFirst(Self.batchMax) }
        return Array(waiting.prefix(Self.batchMax))
    }

    /// Notes that the store has answered the batch.
    package mutating func completed() {
        isInFlight = false
    }
}
