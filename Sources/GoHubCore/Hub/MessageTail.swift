internal import DequeModule

/// The newest messages and facts of a room, the messages as they stand now, without a hole between them, so that whoever
/// comes back soon needs no store.
struct MessageTail: Sendable {
    private var messages: Deque<StoredMessage> = []
    private var bytes = 0

    /// Adds the newest one. After a hole the tail starts anew with it.
    mutating func append(_ message: StoredMessage, limits: Limits) {
        if let last = messages.last, message.offset != last.offset + 1 {
            messages.removeAll()
            bytes = 0
        }
        if message.content.isFact { amend(by: message) }
        messages.append(message)
        bytes += message.content.weight
        while messages.count > limits.tailMessagesMax || bytes > limits.tailBytesMax,
            let oldest = messages.popFirst()
        {
            bytes -= oldest.content.weight
        }
    }

    private mutating func amend(by fact: StoredMessage) {
        messages.amend(by: fact)
        bytes = messages.reduce(0) { $0 + $1.content.weight }
    }

    /// All messages after an offset up to the newest.
    ///
    /// - Returns: `nil` when the tail doesn't reach back that far.
    func messages(after offset: Offset) -> [StoredMessage]? {
        guard let first = messages.first, offset >= first.offset - 1 else { return nil }
        return Array(messages.dropFirst(Int(clamping: offset - (first.offset - 1))))
    }
}
