@testable import GoHubCore

/// The combined observations of all clients: one order per room, and the acknowledgements.
struct ToldHistory {
    struct Place: Hashable {
        var room: RoomName
        var position: Position
    }

    struct Words: Hashable {
        var user: UserID
        var id: CommandID
        var change: MessageChange?
        /// The text as sent, or `nil` if only an edited text or none was ever delivered.
        var text: String?
    }

    struct Sent: Hashable {
        var user: UserID
        var id: CommandID
    }

    private(set) var messages: [Place: Words] = [:]
    /// The offset of each message's deletion, if any client received it.
    private(set) var deletions: [Place: Offset] = [:]
    private(set) var acknowledged: [Place: (user: UserID, id: CommandID)] = [:]

    /// - Returns: false if a client received another message at the same offset.
    mutating func note(_ message: StoredMessage, _ room: RoomName, _ epoch: Epoch) -> Bool {
        let place = Place(room: room, position: Position(epoch: epoch, offset: message.offset))
        let hasOwnText =
            message.change == nil && message.amendments?.edited == nil && message.amendments?.deleted == nil
        var words = Words(
            user: message.from.user, id: message.id, change: message.change, text: hasOwnText ? message.text : nil)
        if let change = message.change, change.kind == .deleted {
            deletions[Place(room: room, position: Position(epoch: epoch, offset: change.target))] = message.offset
        }
        guard let known = messages[place] else {
            messages[place] = words
            return true
        }
        words.text = words.text ?? known.text
        messages[place] = words
        return known.user == words.user && known.id == words.id && known.change == words.change
            && (known.text == nil || known.text == words.text)
    }

    /// Whether an answer up to a head shows a text that was deleted before that head.
    func isDeleted(_ message: StoredMessage, _ room: RoomName, _ head: Position) -> Bool {
        let text =
            message.change?.kind == .edited ? message.change?.target : message.change == nil ? message.offset : nil
        guard let text, !message.text.isEmpty else { return false }
        let place = Place(room: room, position: Position(epoch: head.epoch, offset: text))
        return deletions[place].map { $0 <= head.offset } ?? false
    }

    mutating func note(_ ack: Event.Ack, by user: UserID) -> Bool {
        guard let position = ack.position else { return true }
        let place = Place(room: ack.room, position: position)
        guard let known = acknowledged.updateValue((user, ack.id), forKey: place) else { return true }
        return known == (user, ack.id)
    }
}
