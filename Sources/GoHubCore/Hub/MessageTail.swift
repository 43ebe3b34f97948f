internal import DequeModule

/// The newest messages and changes of a room, with the messages in their current form and without a gap, so that a
/// client that reconnects soon needs no store.
struct MessageTail: Sendable {
    private var messages: Deque<StoredMessage> = []
    private var bytes = 0

    /// Adds the newest message. After a gap the tail restarts with it.
    ///
    /// - Parameters:
    ///   - message: the message.
    ///   - messagesMax: the messages to keep.
    ///   - bytesMax: the bytes to keep. Not all limits as one value, which would be copied for each message.
    mutating func append(_ message: StoredMessage, messagesMax: Int, bytesMax: Int) {
        if let last = messages.last, message.offset != last.offset + 1 {
            messages.removeAll()
            bytes = 0
        }
        if message.content.isChange { amend(by: message) }
        messages.append(message)
        bytes += message.content.weight
        while messages.count > messagesMax || bytes > bytesMax, let oldest = messages.popFirst() {
            bytes -= oldest.content.weight
        }
    }

    private mutating func amend(by change: StoredMessage) {
        messages.amend(by: change)
        bytes = messages.reduce(0) { $0 + $1.content.weight }
    }

    /// All messages after an offset up to the newest.
    ///
    /// - Returns: `nil` when the tail doesn't reach back to the offset.
    func messages(after offset: Offset) -> [StoredMessage]? {
        guard let first = messages.first, offset >= first.offset - 1 else { return nil }
        return Array(messages.dropFirst(Int(clamping: offset - (first.offset - 1))))
    }
}
