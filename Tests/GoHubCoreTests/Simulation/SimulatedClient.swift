@testable import GoHubCore

/// One connection from its client's view, and the promises of the protocol about it.
struct ClientView {
    private struct RoomView {
        var position: Position
        var present: Set<UserID>
        /// From events.
        var receipts: [UserID: Receipt] = [:]
        /// From messages.
        var sent: [UserID: Receipt] = [:]
        var messages = FoldedHistory()
        /// The number of present users, as last told.
        var count: Int
    }

    /// A joined direct conversation.
    private struct ConversationView {
        var epoch: Epoch
        var receipts: [UserID: Receipt] = [:]
    }

    let client: Int
    let user: UserID
    let limits: Limits
    private(set) var isWelcomed = false
    private(set) var isOver = false
    private(set) var awaited: [CommandID: Command] = [:]
    private var rooms: [RoomName: RoomView] = [:]
    private var conversations: [RoomName: ConversationView] = [:]
    /// The entries of direct conversations.
    private(set) var direct: Set<ToldHistory.Place> = []

    init(client: Int, user: UserID, limits: Limits) {
        self.client = client
        self.user = user
        self.limits = limits
    }

    var joinedRooms: [RoomName] { rooms.keys.sorted { $0.value < $1.value } }

    func position(in room: RoomName) -> Position? { rooms[room]?.position }
    func present(in room: RoomName) -> Set<UserID>? { rooms[room]?.present }
    func count(in room: RoomName) -> Int? { rooms[room]?.count }
    func messages(in room: RoomName) -> FoldedHistory? { rooms[room]?.messages }
    /// The further one of events and messages.
    func receipts(in room: RoomName) -> [UserID: Receipt]? {
        rooms[room].map { view in
            view.receipts.merging(view.sent) { told, sent in
                var both = told
                both.advance(to: sent)
                return both
            }
        }
    }

    mutating func sent(_ command: Command) {
        if let id = command.id { awaited[id] = command }
    }

    mutating func ended() {
        isOver = true
    }

    /// - Returns: the first broken promise, or `nil` if there is none.
    mutating func received(_ event: Event, _ history: inout ToldHistory) -> Violation? {
        if isOver { return Violation(.dialogue, "told after the end: \(event)") }
        if !isWelcomed {
            switch event {
            case .welcome: isWelcomed = true
            case .error: break
            default: return Violation(.dialogue, "told before welcome: \(event)")
            }
            return nil
        }
        let command = event.id.flatMap { awaited.removeValue(forKey: $0) }
        if event.id != nil, command == nil { return Violation(.dialogue, "a reply to nothing: \(event)") }
        switch event {
        case .welcome: return Violation(.dialogue, "welcomed twice")
        case .joined(let joined): return entered(joined, command, &history)
        case .left(_, let room, _): rooms[room] = nil
        case .message(let room, let message): return noteActivity(message, in: room, &history)
        case .directMessage(let room, let epoch, let message): return noteActivity(message, in: room, epoch, &history)
        case .presence(let presence): return noted(presence)
        case .members(_, let room, let members): rooms[room]?.count = members.count
        case .receipt(let room, let receipts): return noted(receipts, in: room)
        case .rooms(_, let page): return noted(page)
        case .page(_, let room, let page):
            if !isContiguous(page.messages) { return Violation(.order, "a page with a hole in \(room)") }
            if rooms[room]?.position.epoch == page.head.epoch {
                rooms[room]?.messages.take(page.messages, at: page.head.offset)
            }
            return shown(page.messages, room, page.head, history)
                ?? noteAll(page.messages, room, page.head.epoch, &history)
        case .ack(let ack):
            return history.note(ack, by: user)
                ? nil : Violation(.durability, "two messages acknowledged at \(ack)")
        default: break
        }
        return nil
    }

    private mutating func entered(
        _ joined: Event.Joined, _ command: Command?, _ history: inout ToldHistory
    ) -> Violation? {
        var since: Position?
        switch command {
        case .join(let join): since = join.since
        case .send: break  // `/join`
        default: return Violation(.dialogue, "joined, but asked for \(String(describing: command))")
        }
        let offsets = joined.messages.map(\.offset)
        if !isContiguous(joined.messages) { return Violation(.order, "a join with a hole: \(offsets)") }
        if let last = offsets.last, last != joined.head.offset {
            return Violation(.order, "a join to \(joined.head) ends at \(last)")
        }
        if let problem = recoveryProblem(joined, since) { return Violation(.recovery, problem) }
        if !joined.room.isDirect {
            if let before = rooms[joined.room], before.position.epoch == joined.head.epoch,
                before.position.offset > joined.head.offset
            {
                return Violation(.order, "a join leads back from \(before.position) to \(joined.head)")
            }
            let before = rooms[joined.room]
            let present = Set(joined.members.listed.map(\.user))
            if present.count != joined.members.count { return Violation(.counts, "\(joined.members)") }
            rooms[joined.room] = RoomView(position: joined.head, present: present, count: present.count)
            if joined.recovered, let before { rooms[joined.room]?.messages = before.messages }
            rooms[joined.room]?.messages.take(joined.messages, at: joined.head.offset)
            if let before, before.position.epoch == joined.head.epoch {
                rooms[joined.room]?.receipts = before.receipts
                rooms[joined.room]?.sent = before.sent
            }
        } else if conversations[joined.room]?.epoch != joined.head.epoch {
            conversations[joined.room] = ConversationView(epoch: joined.head.epoch)
        }
        if let problem = noted(joined.receipts, in: joined.room, isJoined: true) { return problem }
        return shown(joined.messages, joined.room, joined.head, history)
            ?? noteAll(joined.messages, joined.room, joined.head.epoch, &history)
    }

    private func recoveryProblem(_ joined: Event.Joined, _ since: Position?) -> String? {
        if joined.recovered {
            guard let since, since.epoch == joined.head.epoch else { return "recovered from nothing" }
            let missed = joined.head.offset - min(since.offset, joined.head.offset)
            return UInt64(joined.messages.count) == missed ? nil : "recovered in part: \(joined)"
        }
        guard let since else { return nil }
        if !joined.messages.isEmpty { return "not recovered, but with messages" }
        // All texts of a page together are far below `pageBytesMax`.
        guard since.epoch == joined.head.epoch,
            joined.head.offset < since.offset + UInt64(limits.pageMessagesMax + 1)
        else { return nil }
        return "not recovered, although \(since) is near to \(joined.head)"
    }

    private func shown(
        _ messages: [StoredMessage], _ room: RoomName, _ head: Position, _ history: ToldHistory
    ) -> Violation? {
        messages.first { history.isDeleted($0, room, head) }
            .map { Violation(.deletions, "\(room): \($0.offset) shows a deleted text") }
    }

    private mutating func noteActivity(
        _ message: StoredMessage, in room: RoomName, _ history: inout ToldHistory
    ) -> Violation? {
        guard let view = rooms[room] else {
            return Violation(.sessions, "a message in \(room), which wasn't joined")
        }
        if message.offset != view.position.offset + 1 {
            return Violation(.order, "\(room): after \(view.position.offset) came \(message.offset)")
        }
        rooms[room]?.position.offset = message.offset
        rooms[room]?.messages.take(message)
        guard message.change == nil else { return noteAll([message], room, view.position.epoch, &history) }
        rooms[room]?.sent[message.from.user] = Receipt(seen: message.offset)
        return noteAll([message], room, view.position.epoch, &history)
    }

    /// A direct message has its position in itself.
    private mutating func noteActivity(
        _ message: StoredMessage, in room: RoomName, _ epoch: Epoch, _ history: inout ToldHistory
    ) -> Violation? {
        guard let (first, second) = room.participants, user == first || user == second else {
            return Violation(.sessions, "a message of others: \(room)")
        }
        // It may come twice: after an unknown outcome, and after a repeat.
        return noteAll([message], room, epoch, &history)
    }

    private mutating func noted(_ presence: Event.Presence) -> Violation? {
        guard rooms[presence.room] != nil else {
            return Violation(.sessions, "presence of \(presence.room), which wasn't joined")
        }
        if presence.joined.isEmpty, presence.left.isEmpty { return Violation(.presence, "presence of nobody") }
        rooms[presence.room]?.count = presence.count
        rooms[presence.room]?.present.formUnion(presence.joined.map(\.user))
        rooms[presence.room]?.present.subtract(presence.left)
        return nil
    }

    /// Receipts only grow, and never pass the room's head. A `receipt` is never behind an earlier message.
    private mutating func noted(
        _ receipts: [UserReceipt], in room: RoomName, isJoined: Bool = false
    ) -> Violation? {
        if let (first, second) = room.participants {
            guard user == first || user == second else { return Violation(.sessions, "receipts of others: \(room)") }
            return notedInConversation(receipts, room)
        }
        guard let view = rooms[room] else {
            return Violation(.sessions, "receipts of \(room), which wasn't joined")
        }
        if receipts.isEmpty, !isJoined { return Violation(.receipts, "a receipt of nobody") }
        for entry in receipts {
            let (user, receipt) = (entry.user, entry.receipt)
            if receipt.delivered > view.position.offset {
                return Violation(.receipts, "\(room): \(user) is ahead of the room: \(receipt)")
            }
            var known = view.receipts[user] ?? Receipt()
            if !isJoined, let sent = view.sent[user] { known.advance(to: sent) }
            if receipt.seen < known.seen || receipt.delivered < known.delivered {
                return Violation(.receipts, "\(room): \(user) went from \(known) to \(receipt)")
            }
            rooms[room]?.receipts[user] = receipt
        }
        return nil
    }

    /// Without a join, the client doesn't know the epoch of a conversation's receipts.
    private mutating func notedInConversation(_ receipts: [UserReceipt], _ room: RoomName) -> Violation? {
        guard let view = conversations[room] else { return nil }
        for entry in receipts {
            let (known, receipt) = (view.receipts[entry.user] ?? Receipt(), entry.receipt)
            if receipt.seen < known.seen || receipt.delivered < known.delivered {
                return Violation(.receipts, "\(room): \(entry.user) went from \(known) to \(receipt)")
            }
            conversations[room]?.receipts[entry.user] = receipt
        }
        return nil
    }

    private func noted(_ page: RoomsPage) -> Violation? {
        for (room, next) in zip(page.rooms, page.rooms.dropFirst()) where !RoomName.precedes(room.room, next.room) {
            return Violation(.order, "rooms out of order: \(room.room), \(next.room)")
        }
        for room in page.rooms {
            if room.receipt.delivered > room.head.offset {
                return Violation(.receipts, "ahead of \(room.room): \(room.receipt)")
            }
            if let (first, second) = room.room.participants, user != first, user != second {
                return Violation(.sessions, "a room of others: \(room.room)")
            }
        }
        return nil
    }

    private func isContiguous(_ messages: [StoredMessage]) -> Bool {
        zip(messages, messages.dropFirst()).allSatisfy { $0.offset + 1 == $1.offset }
    }

    private mutating func noteAll(
        _ messages: [StoredMessage], _ room: RoomName, _ epoch: Epoch, _ history: inout ToldHistory
    ) -> Violation? {
        if room.isDirect {
            for message in messages {
                direct.insert(ToldHistory.Place(room: room, position: Position(epoch: epoch, offset: message.offset)))
            }
        }
        for message in messages where !history.note(message, room, epoch) {
            return Violation(.order, "\(room): two orders at \(message.offset)")
        }
        return nil
    }
}
