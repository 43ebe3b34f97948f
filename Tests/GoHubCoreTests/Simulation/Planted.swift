@testable import GoHubCore

/// Makes the mistakes of one planted bug; without a bug it changes nothing.
final class Planted {
    let bug: PlantedBug?
    /// Its occasions so far.
    private var chances = 0
    /// Texts by place, for a store that shows them for ever.
    private var texts: [RoomID: [Position: StoredMessage]] = [:]
    /// The first epoch of each room.
    private var epochs: [RoomID: Epoch] = [:]

    init(_ bug: PlantedBug?) {
        self.bug = bug
    }

    /// Whether the bug strikes on this occasion.
    func strikes(_ bug: PlantedBug, every count: Int = 1) -> Bool {
        guard bug == self.bug else { return false }
        chances += 1
        return chances.isMultiple(of: count)
    }

    // MARK: What a client receives

    /// What a client receives instead of an event.
    func told(_ event: Event) -> [Event] {
        guard bug != nil else { return [event] }
        switch event {
        case .message:
            if strikes(.messageTwice, every: 50) { return [event, event] }
            if strikes(.messageLost, every: 50) { return [] }
        case .joined(var joined):
            if joined.recovered, strikes(.recoveryDenied, every: 3) {
                joined.recovered = false
                joined.messages = []
            }
            if joined.recovered, joined.messages.count > 1, strikes(.recoveryCut) { joined.messages.removeFirst() }
            return [.joined(joined)]
        case .presence(var presence):
            if strikes(.presenceLost, every: 3) { return [] }
            if strikes(.countOffByOne) { presence.count += 1 }
            return [.presence(presence)]
        case .receipt(let room, let receipts):
            if strikes(.receiptGoesBack, every: 10) {
                return [.receipt(room: room, receipts.map { UserReceipt(user: $0.user, Receipt()) })]
            }
            if strikes(.receiptAhead, every: 10) {
                return [.receipt(room: room, receipts.map { UserReceipt(user: $0.user, Receipt(seen: 1_000_000)) })]
            }
        case .ack(var ack):
            if strikes(.answerTwice, every: 30) { return [event, event] }
            if strikes(.ackElsewhere, every: 30) { ack.position?.offset += 1 }
            return [.ack(ack)]
        default: break
        }
        return [event]
    }

    // MARK: What the store answers

    /// Whether the answer doesn't arrive yet.
    func delays(_ answer: StoreAnswer, since start: MonotonicTime, now: MonotonicTime) -> Bool {
        guard bug == .comparisonLate, case .headsRead = answer else { return false }
        return now < start + 20_000
    }

    /// What a hub is answered instead of the store's answer.
    func answered(_ answer: StoreAnswer, to request: StoreRequest) -> StoreAnswer {
        guard bug != nil else { return answer }
        switch answer {
        case .headsRead(.success(let heads)):
            if bug == .comparisonEmpty { return .headsRead(.success([])) }
            guard case .readHeads(let known) = request else { return answer }
            return .headsRead(.success(heads.map(hiding).filter { !known.contains($0) }))
        case .directNewsRead(.success(var news)):
            if bug == .directNewsDropped { news.items = [] }
            return .directNewsRead(.success(news))
        case .historyRead(let pending, .success(var page), let request):
            page.head = hiding(page.head, of: request.room)
            if bug == .holeNeverFilled, case .catchUp = pending, case .after(let offset) = request.range {
                page.messages = []
                page.head.offset = offset
            }
            if bug == .sanctionsDropped { page.sanctions = [] }
            if bug == .sanctionsVersionDropped { page.sanctionsVersion = 0 }
            if bug == .deletedTextKept { showTexts(of: &page, request.room) }
            return .historyRead(pending, .success(page), request)
        case .appended(let batch, let outcomes):
            if bug == .deletedTextKept {
                for (request, outcome) in zip(batch, outcomes) { keepText(request.draft, outcome) }
            }
            return .appended(batch, zip(batch, outcomes).map { hiding($1, of: $0.draft.room) })
        default: return answer
        }
    }

    /// What a hub is answered instead of a failure.
    func failed(_ answer: StoreAnswer, hasEffect: Bool, _ store: InMemoryMessageStore) -> StoreAnswer {
        guard case .appended(let batch, let outcomes) = answer else { return answer }
        if hasEffect, strikes(.storedButDenied) {
            return .appended(batch, batch.map { _ in .failed(StoreError("denied", mayBeStored: false)) })
        }
        if !hasEffect, strikes(.acknowledgedButNotStored) {
            return .appended(batch, batch.map { pretend(to: $0.draft, store) })
        }
        return .appended(batch, outcomes)
    }

    private func pretend(to draft: MessageDraft, _ store: InMemoryMessageStore) -> AppendOutcome {
        let head = store.readHistory(HistoryRequest(room: draft.room, range: .newest, messagesMax: 1, bytesMax: 1)).head
        guard draft.changeRequest == nil else { return .unchanged(at: draft.receivedAt) }
        return .stored(Position(epoch: head.epoch, offset: head.offset + 1), at: draft.receivedAt)
    }

    private func keepText(_ draft: MessageDraft, _ outcome: AppendOutcome) {
        guard case .stored(let position, let at) = outcome else { return }
        texts[draft.room, default: [:]][position] = StoredMessage(offset: position.offset, at: at, draft.content)
    }

    private func showTexts(of page: inout HistoryPage, _ room: RoomID) {
        for (index, message) in page.messages.enumerated() where message.amendments?.deleted != nil {
            let place = Position(epoch: page.head.epoch, offset: message.offset)
            if let kept = texts[room]?[place] { page.messages[index] = kept }
        }
    }

    // MARK: Hidden epochs and versions

    private func hiding(_ head: RoomHead) -> RoomHead {
        var head = head
        head.position = hiding(head.position, of: head.room)
        if bug == .sanctionsVersionDropped { head.sanctionsVersion = 0 }
        return head
    }

    private func hiding(_ position: Position, of room: RoomID) -> Position {
        guard bug == .otherEpochHidden else { return position }
        let first = epochs[room] ?? position.epoch
        epochs[room] = first
        return Position(epoch: first, offset: position.offset)
    }

    private func hiding(_ outcome: AppendOutcome, of room: RoomID) -> AppendOutcome {
        switch outcome {
        case .stored(let position, let at): .stored(hiding(position, of: room), at: at)
        case .applied(let position, let at, let change): .applied(hiding(position, of: room), at: at, change)
        case .duplicate(let position, let at): .duplicate(hiding(position, of: room), at: at)
        case .attached, .unchanged, .refused, .failed: outcome
        }
    }
}
