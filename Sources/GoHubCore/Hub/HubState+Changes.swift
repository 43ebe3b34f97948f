extension HubState {
    /// Handles an append that the store answered without storing an entry: a change request or a message with files.
    func answeredOnly(
        _ appendRequest: AppendRequest, _ outcome: AppendOutcome, into actions: inout [HubAction]
    ) {
        let (draft, requester) = (appendRequest.draft, appendRequest.requester)
        switch outcome {
        case .unchanged(let at):
            let ack = Event.Ack(
                id: draft.id, room: draft.room.name, position: nil, at: at, isDuplicate: false, isUnchanged: true)
            actions.append(reply(.ack(ack), to: requester))
        case .refused(.notFound): actions.append(refuse(requester, .notFound, "There is no such message."))
        case .refused(.forbidden): actions.append(refuse(requester, .forbidden, "The message belongs to another user."))
        case .refused(.tooManyReactions):
            let message = "The reaction limit for this message is reached."
            actions.append(refuse(requester, .tooLarge, message))
        case .refused(.fileNotFound):
            actions.append(refuse(requester, .notFound, "There is no such file in this room."))
        case .stored, .attached, .applied, .duplicate, .failed: break
        }
    }

    /// Brings a page up to date with entries delivered since it was read, so that nobody is shown a text that others
    /// have seen deleted.
    ///
    /// - Returns: the entries delivered after the page's head; `nil` when the room no longer has them in memory.
    func newer(than page: HistoryPage, in room: RoomID) -> [StoredMessage]? {
        guard let head = rooms[room]?.head, head.epoch == page.head.epoch else { return nil }
        guard page.head.offset < head.offset else { return [] }
        return rooms[room]?.tail.messages(after: page.head.offset)
    }
}

extension HistoryPage {
    /// Applies the changes among the entries after the page.
    mutating func amend(by newer: [StoredMessage]) {
        for entry in newer where entry.content.isChange { messages.amend(by: entry) }
    }
}
