extension HubState {
    /// The store has found what comes of a wish, or of a message with files, and stored nothing.
    func answeredOnly(
        _ publication: Publication, _ outcome: AppendOutcome, into actions: inout [HubAction]
    ) {
        let (draft, requester) = (publication.draft, publication.requester)
        switch outcome {
        case .unchanged(let at):
            let ack = Event.Ack(
                id: draft.id, room: draft.room.name, position: nil, at: at, isDuplicate: false, isUnchanged: true)
            actions.append(reply(.ack(ack), to: requester))
        case .refused(.notFound): actions.append(refuse(requester, .notFound, "there is no such message"))
        case .refused(.forbidden): actions.append(refuse(requester, .forbidden, "the message is another user's"))
        case .refused(.tooManyReactions):
            let message = "the message has too many reactions, or too many of yours"
            actions.append(refuse(requester, .tooLarge, message))
        case .refused(.fileNotFound):
            actions.append(refuse(requester, .notFound, "there is no such file in this room"))
        case .stored, .attached, .applied, .duplicate, .failed: break
        }
    }

    /// Brings a page up to what has been told since it was read, so that nobody is shown a text that others have seen
    /// deleted.
    ///
    /// - Returns: what was told after the page's head; `nil` when the room doesn't know it any more.
    func newer(than page: HistoryPage, in room: RoomID) -> [StoredMessage]? {
        guard let head = rooms[room]?.head, head.epoch == page.head.epoch else { return nil }
        guard page.head.offset < head.offset else { return [] }
        return rooms[room]?.tail.messages(after: page.head.offset)
    }
}

extension HistoryPage {
    /// Takes on the facts among what came after the page.
    mutating func amend(by newer: [StoredMessage]) {
        for entry in newer where entry.content.isFact { messages.amend(by: entry) }
    }
}
