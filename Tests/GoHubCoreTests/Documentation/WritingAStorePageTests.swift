import GoHubCore
import GoHubTestSupport
import Testing

// begin: append
/// Texts in memory, without edits and files. A store of yours awaits its database where this one uses a dictionary.
actor TextStore: AsyncMessageStore {
    private var messages: [RoomID: [StoredMessage]] = [:]
    private var receipts: [RoomID: [UserID: UserReceipt]] = [:]
    private var sanctions: [RoomID: [UserID: (isBan: Bool, until: MonotonicTime)]] = [:]
    private var sanctionsVersions: [RoomID: UInt64] = [:]
    /// Lost with the store, like all messages.
    private let epoch = Epoch(String(UInt64.random(in: .min ... .max), radix: 36))

    func append(_ batch: [MessageDraft]) async -> [AppendOutcome] {
        batch.map { append($0) }
    }

    private func append(_ draft: MessageDraft) -> AppendOutcome {
        guard draft.changeRequest == nil else { return .refused(.forbidden) }
        guard draft.files.isEmpty else { return .refused(.fileNotFound) }
        let known = messages[draft.room] ?? []
        if let first = known.first(where: { $0.id == draft.id && $0.from.user == draft.from.user }) {
            return .duplicate(Position(epoch: epoch, offset: first.offset), at: first.at)
        }
        let message = StoredMessage(offset: Offset(known.count) + 1, at: draft.receivedAt, draft.content)
        messages[draft.room, default: []].append(message)
        return .stored(head(of: draft.room), at: message.at)
    }

    private func head(of room: RoomID) -> Position {
        Position(epoch: epoch, offset: messages[room]?.last?.offset ?? 0)
    }
}
// end: append

// begin: read
extension TextStore {
    func readHistory(_ request: HistoryRequest) async throws(StoreError) -> HistoryPage {
        let all = messages[request.room] ?? []
        let wanted: [StoredMessage] =
            switch request.range {
            case .newest: all.reversed()
            case .before(let offset): all.prefix { $0.offset < offset }.reversed()
            case .after(let offset): Array(all.drop { $0.offset <= offset })
            }
        let page = prefix(of: wanted, max: request.messagesMax, bytesMax: request.bytesMax) { $0.answerBytes }
        let receipts = (receipts[request.room] ?? [:]).values.prefix(request.receiptsMax)
        let now = MonotonicTime.now()
        let sanctions = active(in: request.room, at: now).prefix(request.sanctionsMax)
        return HistoryPage(
            head: head(of: request.room), messages: page.sorted { $0.offset < $1.offset },
            more: page.count < wanted.count, receipts: Array(receipts),
            sanctions: sanctions.map { UserSanction(user: $0, isBan: $1.isBan, left: $1.until.since(now)) },
            sanctionsVersion: sanctionsVersions[request.room] ?? 0)
    }

    func readHeads(_ known: [RoomHead]) async throws(StoreError) -> [RoomHead] {
        let stored = known.map { known in
            RoomHead(
                room: known.room, position: head(of: known.room),
                sanctionsVersion: sanctionsVersions[known.room] ?? 0)
        }
        return stored.filter { !known.contains($0) }
    }

    func readRooms(_ request: RoomsRequest) async throws(StoreError) -> RoomsPage {
        let user = request.user.user
        let now = MonotonicTime.now()
        let rooms = receipts.keys.filter { room in
            room.tenant == request.user.tenant && receipts[room]?[user]?.isFollower == true
                && request.opens(room.name) && active(in: room, at: now)[user]?.isBan != true
                && request.after.map { isBefore($0, room.name) } != false
        }
        let wanted = rooms.sorted { isBefore($0.name, $1.name) }.map { room in
            RoomsPage.Room(
                room: room.name, head: head(of: room), receipt: receipts[room]?[user]?.receipt ?? Receipt(),
                last: messages[room]?.last)
        }
        let page = prefix(of: wanted, max: request.roomsMax, bytesMax: request.bytesMax) { $0.answerBytes }
        return RoomsPage(rooms: page, more: page.count < wanted.count)
    }

    /// As many elements as the hub asks for. The first one always fits.
    private func prefix<Element>(
        of elements: [Element], max: Int, bytesMax: Int, bytes: (Element) -> Int
    ) -> [Element] {
        var bytesLeft = bytesMax
        var page: [Element] = []
        for element in elements.prefix(max) {
            bytesLeft -= bytes(element)
            guard page.isEmpty || bytesLeft >= 0 else { break }
            page.append(element)
        }
        return page
    }

    private func isBefore(_ left: RoomName, _ right: RoomName) -> Bool {
        left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
    }
}
// end: read

// begin: save
extension TextStore {
    func saveReceipts(_ batch: [ReceiptNote]) async throws(StoreError) {
        for note in batch where note.epoch == epoch && note.receipt.delivered <= head(of: note.room).offset {
            let known = receipts[note.room]?[note.user]
            // A user without a receipt gets none by leaving, and in a room without messages only by joining.
            let isNew = note.receipt.delivered > 0 || note.follows == true
            guard known != nil || isNew || (note.follows == nil && messages[note.room] != nil) else { continue }
            var entry = known ?? UserReceipt(user: note.user, Receipt(), isFollower: true)
            entry.receipt.advance(to: note.receipt)
            entry.isFollower = note.follows ?? entry.isFollower
            receipts[note.room, default: [:]][note.user] = entry
        }
    }

    func saveSanctions(_ batch: [SanctionNote]) async throws(StoreError) -> [SanctionNote.Outcome] {
        let now = MonotonicTime.now()
        return batch.map { note in
            var known = active(in: note.room, at: now)
            defer { sanctions[note.room] = known }
            sanctionsVersions[note.room, default: 0] += 1
            switch note.kind {
            case .pardon: return known.removeValue(forKey: note.user) == nil ? .notFound : .lifted
            case .mute(let length), .ban(let length):
                let isBan = note.kind == .ban(length)
                let old = known[note.user]
                if let old, old.isBan, !isBan { return .banned(left: old.until.since(now)) }
                guard old != nil || known.count < note.perRoomMax else { return .tooMany }
                known[note.user] = (isBan, now + length)
                if isBan { receipts[note.room]?[note.user]?.isFollower = false }
                return .stored
            }
        }
    }

    /// The mutes and bans that have not ended.
    private func active(in room: RoomID, at now: MonotonicTime) -> [UserID: (isBan: Bool, until: MonotonicTime)] {
        (sanctions[room] ?? [:]).filter { now < $0.value.until }
    }
}
// end: save

// begin: use
func makeHub(on store: TextStore) -> Hub {
    Hub(store: store.adapted())
}
// end: use

struct WritingAStorePageTests {
    @Test func clientsChatOnTheStore() async throws {
        let hub = makeHub(on: TextStore())
        let alice = try await hub.connect(Credentials(user: .alice))
        let bob = try await hub.connect(Credentials(user: .bob))
        try await alice.join(.lobby)
        try await bob.join(.lobby)
        let first = try await alice.send("hello", to: .lobby, id: .named("once"))
        #expect(first.position?.offset == 1)
        let second = try await alice.send("hello", to: .lobby, id: .named("once"))
        #expect(second.isDuplicate)
        #expect(second.position == first.position)
        #expect(await bob.nextMessage()?.text == "hello")
    }

    @Test func anotherHubRecoversFromTheStore() async throws {
        let store = TextStore()
        let alice = try await makeHub(on: store).connect(Credentials(user: .alice))
        try await alice.join(.lobby)
        let one = try await alice.send("one", to: .lobby)
        try await alice.send("two", to: .lobby)
        try await alice.send("three", to: .lobby)
        let bob = try await makeHub(on: store).connect(Credentials(user: .bob))
        let joined = try await bob.join(.lobby, since: one.position)
        #expect(joined.recovered)
        #expect(joined.messages.map(\.text) == ["two", "three"])
    }

    @Test func pageEndsAtItsBounds() async throws {
        let store = TextStore()
        let drafts = (1...3).map { number in
            MessageDraft(
                room: .lobby, id: .named("\(number)"), from: Member(user: .alice), receivedAt: .ms(0),
                text: "\(number)")
        }
        _ = await store.append(drafts)
        func texts(_ range: HistoryRange, max: Int, bytesMax: Int = 100_000) async throws -> ([String], Bool) {
            let page = try await store.readHistory(
                HistoryRequest(room: .lobby, range: range, messagesMax: max, bytesMax: bytesMax))
            return (page.messages.map(\.text), page.more)
        }
        #expect(try await texts(.newest, max: 2) == (["2", "3"], true))
        #expect(try await texts(.before(3), max: 2) == (["1", "2"], false))
        #expect(try await texts(.after(1), max: 1) == (["2"], true))
        #expect(try await texts(.newest, max: 3, bytesMax: 1) == (["3"], true))
    }

    @Test func followedRoomIsListedUntilABan() async throws {
        let store = TextStore()
        let room = RoomID.lobby
        let request = RoomsRequest(
            user: UserKey(tenant: .standard, user: .bob), grants: .participant, roomsMax: 10, bytesMax: 1000)
        let epoch = try await store.readHistory(.sanctions(of: room, max: 1)).head.epoch
        try await store.saveReceipts([ReceiptNote(room: room, epoch: epoch, user: .bob, Receipt(), follows: true)])
        #expect(try await store.readRooms(request).rooms.map(\.room) == [.lobby])
        let ban = SanctionNote(room: room, user: .bob, .ban(.seconds(600)), perRoomMax: 1)
        let mute = SanctionNote(room: room, user: .carol, .mute(.seconds(600)), perRoomMax: 1)
        #expect(try await store.saveSanctions([ban, mute]) == [.stored, .tooMany])
        #expect(try await store.readRooms(request).rooms == [])
        #expect(try await store.readHistory(.sanctions(of: room, max: 9)).sanctions.map(\.isBan) == [true])
    }
}
