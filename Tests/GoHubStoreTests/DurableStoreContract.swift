import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

/// The requirements of every `DurableMessageStore` beyond `MessageStoreContract`, the same for SQLite and PostgreSQL:
/// closing and reopening the store, and retention over time.
struct DurableStoreContract: Sendable, CustomTestStringConvertible {
    private let name: String
    private let body: @Sendable (DurableStoreFixture) async throws -> Void

    var testDescription: String { name }

    /// - Parameter open: opens the same database each time.
    func run(_ open: @escaping @Sendable (StoreSettings) throws -> any DurableMessageStore) async throws {
        try await body(DurableStoreFixture(open: open))
    }

    /// - Parameter catalog: the files that the store's messages may hold, in the same database.
    func run(
        _ open: @escaping @Sendable (StoreSettings) throws -> any DurableMessageStore,
        catalog: @escaping @Sendable (any DurableMessageStore) -> any FileCatalog
    ) async throws {
        try await body(DurableStoreFixture(open: open, catalog: catalog))
    }

    init(_ name: String, _ body: @escaping @Sendable (DurableStoreFixture) async throws -> Void) {
        self.name = name
        self.body = body
    }
}

/// A database, and a room in it that no other check uses.
struct DurableStoreFixture: Sendable {
    let time = TestTime()
    let room = RoomID(tenant: .named("t\(UInt64.random(in: .min ... .max))"), name: .lobby)
    fileprivate let open: @Sendable (StoreSettings) throws -> any DurableMessageStore
    fileprivate let catalog: @Sendable (any DurableMessageStore) -> any FileCatalog

    init(
        open: @escaping @Sendable (StoreSettings) throws -> any DurableMessageStore,
        catalog: @escaping @Sendable (any DurableMessageStore) -> any FileCatalog = { _ in InMemoryFileCatalog() }
    ) {
        self.open = open
        self.catalog = catalog
    }

    func files(of store: any DurableMessageStore) -> any TestFiles { CatalogFiles(catalog(store)) }

    /// Opens the store for a body, and closes it afterwards.
    func withStore<Result: Sendable>(
        _ retention: Retention = Retention(), _ body: @Sendable (any DurableMessageStore) async throws -> Result
    ) async throws -> Result {
        var settings = StoreSettings()
        settings.retention = retention
        settings.clock = { [time] in time.wall }
        let store = try open(settings)
        let result: Result
        do {
            result = try await body(store)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
        return result
    }

    func draft(
        _ id: Int, in room: RoomID? = nil, from sender: Member = Member(user: .alice), text: String? = nil
    ) -> MessageDraft {
        MessageDraft(
            room: room ?? self.room, id: .named("\(id)"), from: sender, receivedAt: time.wall,
            text: text ?? "text of \(id)")
    }

    func append(_ ids: ClosedRange<Int>, to store: any MessageStore) async -> [AppendOutcome] {
        await store.append(ids.map { draft($0) })
    }

    func read(_ range: HistoryRange = .newest, of store: any MessageStore) async throws -> HistoryPage {
        let request = HistoryRequest(room: room, range: range, messagesMax: 10_000, bytesMax: 10_000_000)
        return try await store.read(request).get()
    }
}

extension DurableStoreFixture {
    /// Stores that users have seen all up to an offset.
    func note(_ seen: [UserID: Offset], of room: RoomID? = nil, in store: any MessageStore) async throws {
        let room = room ?? self.room
        let request = HistoryRequest(room: room, range: .newest, messagesMax: 0, bytesMax: 0)
        let epoch = try await store.read(request).get().head.epoch
        try await store.store(
            seen.map { ReceiptNote(room: room, epoch: epoch, user: $0.key, Receipt(seen: $0.value)) }
        ).get()
    }

    func receipts(in store: any MessageStore) async throws -> [UserID: Offset] {
        let request = HistoryRequest(
            room: room, range: .newest, messagesMax: 0, bytesMax: 0, receiptsMax: 10_000)
        let receipts = try await store.read(request).get().receipts
        return Dictionary(uniqueKeysWithValues: receipts.map { ($0.user, $0.receipt.seen) })
    }

    func rooms(of user: UserID, in store: any MessageStore) async throws -> [RoomsPage.Room] {
        let request = RoomsRequest(
            user: UserKey(tenant: room.tenant, user: user), grants: .participant, roomsMax: 10, bytesMax: 1000)
        return try await store.read(request).get().rooms
    }
}

extension DurableStoreContract {
    static let day = Milliseconds.seconds(24 * 60 * 60)

    static let checks: [DurableStoreContract] = standardChecks + factChecks + followingChecks

    private static let standardChecks: [DurableStoreContract] = [
        DurableStoreContract("what was stored is there when it is opened again, and goes on") { fixture in
            let first = try await fixture.withStore { store in
                _ = await fixture.append(1...5, to: store)
                return try await fixture.read(of: store)
            }
            #expect(first.messages.count == 5)
            try await fixture.withStore { store in
                try #expect(await fixture.read(of: store) == first)
                let next = await fixture.append(6...7, to: store)
                #expect(next.map(\.position) == [6, 7].map { Position(epoch: first.head.epoch, offset: $0) })
            }
        },
        DurableStoreContract("receipts and a user's rooms are there when it is opened again, and only grow") {
            fixture in
            let rooms = RoomsRequest(
                user: UserKey(tenant: fixture.room.tenant, user: .bob), grants: .participant, roomsMax: 10,
                bytesMax: 1000)
            let page = HistoryRequest(
                room: fixture.room, range: .newest, messagesMax: 0, bytesMax: 0, receiptsMax: 10)
            @Sendable func note(_ epoch: Epoch, _ receipt: Receipt) -> [ReceiptNote] {
                [ReceiptNote(room: fixture.room, epoch: epoch, user: .bob, receipt)]
            }
            let epoch = try await fixture.withStore { store in
                _ = await fixture.append(1...5, to: store)
                let epoch = try await fixture.read(of: store).head.epoch
                try await store.store(note(epoch, Receipt(delivered: 4, seen: 2))).get()
                return epoch
            }
            try await fixture.withStore { store in
                let expected = Receipt(delivered: 4, seen: 2)
                try #expect(await store.read(page).get().receipts == [UserReceipt(user: .bob, expected)])
                let mine = try await store.read(rooms).get().rooms
                #expect(mine.map(\.receipt) == [expected])
                #expect(mine.first?.unread == 3)
                #expect(mine.first?.last?.offset == 5)
                try await store.store(note(epoch, Receipt(delivered: 3, seen: 1))).get()
                try #expect(await store.read(rooms).get().rooms.map(\.receipt) == [expected])
            }
        },
        DurableStoreContract("a receipt goes with the last message that its user got") { fixture in
            try await fixture.withStore(Retention(ageMax: .seconds(60))) { store in
                _ = await fixture.append(1...4, to: store)
                fixture.time.advance(by: .seconds(40))
                _ = await fixture.append(5...6, to: store)
                try await fixture.note([.bob: 6, .carol: 5, .named("dave"): 4, .named("erin"): 0], in: store)
                try await store.sweep()
                try #expect(
                    await fixture.receipts(in: store) == [.bob: 6, .carol: 5, .named("dave"): 4, .named("erin"): 0])
                fixture.time.advance(by: day)
                _ = await fixture.append(7...7, to: store)
                try await fixture.note([.named("frank"): 6], in: store)
                try await store.sweep()
                try #expect(await fixture.receipts(in: store) == [:], "all got nothing of what is left")
                try await fixture.note([.bob: 7, .carol: 3], in: store)
                try await store.sweep()
                try #expect(await fixture.receipts(in: store) == [.bob: 7, .carol: 3], "once a day")
            }
        },
        DurableStoreContract("a room whose messages are all gone goes on, and is nobody's until they say so") {
            fixture in
            try await fixture.withStore(Retention(ageMax: .seconds(60))) { store in
                _ = await fixture.append(1...2, to: store)
                let head = try await fixture.read(of: store).head
                try await fixture.note([.bob: 1, .carol: 2], in: store)
                fixture.time.advance(by: .seconds(61))
                try await store.sweep()
                try #expect(await fixture.rooms(of: .bob, in: store) == [])
                try #expect(await fixture.rooms(of: .carol, in: store) == [])
                try await fixture.note([.carol: 2], in: store)
                let mine = RoomsPage.Room(room: .lobby, head: head, receipt: Receipt(seen: 2), last: nil)
                try #expect(await fixture.rooms(of: .carol, in: store) == [mine])
                #expect(await fixture.append(3...3, to: store).map(\.position?.offset) == [3])
            }
        },
        DurableStoreContract("a direct conversation stays until its last message is gone") { fixture in
            try await fixture.withStore(Retention(ageMax: .seconds(60))) { store in
                let direct = RoomID(tenant: fixture.room.tenant, name: .direct(.alice, .bob))
                _ = await store.append([fixture.draft(1, in: direct)])
                fixture.time.advance(by: .seconds(61))
                _ = await store.append([fixture.draft(2, in: direct)])
                try await fixture.note([.bob: 0], of: direct, in: store)
                try await store.sweep()
                try #expect(await fixture.rooms(of: .bob, in: store).map(\.unread) == [2])
                fixture.time.advance(by: day)
                try await store.sweep()
                try #expect(await fixture.rooms(of: .bob, in: store) == [])
            }
        },
        DurableStoreContract("no receipt goes for a message that was one too many") { fixture in
            for retention in [
                Retention(messagesPerRoomMax: 2), Retention(ageMax: .seconds(60), messagesPerRoomMax: 2),
            ] {
                try await fixture.withStore(retention) { store in
                    _ = await fixture.append(1...5, to: store)
                    try await fixture.note([.bob: 1], in: store)
                    try await store.sweep()
                    try #expect(await fixture.read(of: store).messages.count == 2)
                    try #expect(await fixture.receipts(in: store) == [.bob: 1])
                }
            }
        },
        DurableStoreContract("thousands of receipts go in steps, those between them stay") { fixture in
            try await fixture.withStore(Retention(ageMax: .seconds(60))) { store in
                _ = await fixture.append(1...2, to: store)
                fixture.time.advance(by: .seconds(61))
                _ = await fixture.append(3...3, to: store)
                let gone = (0..<1_700).map { (UserID.named("user-\($0)"), Offset(1)) }
                let kept = (0..<3).map { (UserID.named("user-\($0 * 600)-kept"), Offset(3)) }
                try await fixture.note(Dictionary(uniqueKeysWithValues: gone + kept), in: store)
                try await store.sweep()
                try #expect(await fixture.receipts(in: store) == Dictionary(uniqueKeysWithValues: kept))
            }
        },
        DurableStoreContract("a repeat is known when it is opened again") { fixture in
            let first = try await fixture.withStore { await fixture.append(1...3, to: $0) }
            fixture.time.advance(by: 1000)
            try await fixture.withStore { store in
                let again = await fixture.append(1...4, to: store)
                #expect(again.map(\.isDuplicate) == [true, true, true, false])
                #expect(again.dropLast().map(\.position) == first.map(\.position))
                guard case .duplicate(_, let at)? = again.first else { return }
                #expect(at == .ms(0), "the first one's time")
            }
        },
        DurableStoreContract("an unused room keeps its epoch when it is opened again, up to its first message") {
            fixture in
            let epoch = try await fixture.withStore { try await fixture.read(of: $0).head.epoch }
            try await fixture.withStore { store in
                try #expect(await fixture.read(of: store).head.epoch == epoch)
                #expect(await fixture.append(1...1, to: store).first?.position?.epoch == epoch)
            }
        },
        DurableStoreContract("a repeat is known for the window, and no longer") { fixture in
            try await fixture.withStore { store in
                _ = await fixture.append(1...1, to: store)
                fixture.time.advance(by: Milliseconds(day.value - 1))
                try await store.sweep()
                #expect(await fixture.append(1...1, to: store).map(\.isDuplicate) == [true])
                fixture.time.advance(by: 1)
                #expect(await fixture.append(1...1, to: store).map(\.isDuplicate) == [false])
                #expect(await fixture.append(1...1, to: store).map(\.offset) == [2])
            }
        },
        DurableStoreContract("commands whose window is over are forgotten, the messages stay") { fixture in
            try await fixture.withStore { store in
                _ = await fixture.append(1...1_200, to: store)
                fixture.time.advance(by: day)
                try await store.sweep()
                #expect(await fixture.append(1...2, to: store).map(\.offset) == [1_201, 1_202])
                try #expect(await fixture.read(of: store).messages.count == 1_202)
            }
        },
        DurableStoreContract("a room keeps the newest messages by count, and its offsets and epoch go on") { fixture in
            try await fixture.withStore(Retention(messagesPerRoomMax: 3)) { store in
                let epoch = await fixture.append(1...1_500, to: store).first?.position?.epoch
                let other = RoomID(tenant: fixture.room.tenant, name: .named("other"))
                _ = await store.append([fixture.draft(1, in: other)])
                try await store.sweep()
                let page = try await fixture.read(of: store)
                #expect(page.messages.map(\.offset) == [1_498, 1_499, 1_500])
                #expect(page.more == false)
                #expect(page.head == epoch.map { Position(epoch: $0, offset: 1_500) })
                try #expect(await fixture.read(.before(1_498), of: store).messages == [])
                try #expect(await fixture.read(.after(3), of: store).messages.count == 3)
                // Removed messages still count as stored.
                #expect(await fixture.append(1...1, to: store).map(\.offset) == [1])
                #expect(await fixture.append(1_501...1_501, to: store).map(\.offset) == [1_501])
                let left = HistoryRequest(room: other, range: .newest, messagesMax: 10, bytesMax: 1000)
                try #expect(await store.read(left).get().messages.count == 1)
            }
        },
        DurableStoreContract("a room keeps messages of an age, and may come to hold none") { fixture in
            try await fixture.withStore(Retention(ageMax: .seconds(60))) { store in
                _ = await fixture.append(1...10, to: store)
                fixture.time.advance(by: .seconds(40))
                _ = await fixture.append(11...12, to: store)
                fixture.time.advance(by: .seconds(20))
                try await store.sweep()
                try #expect(await fixture.read(of: store).messages.count == 12, "just as old as they may be")
                fixture.time.advance(by: 1)
                try await store.sweep()
                try #expect(await fixture.read(of: store).messages.map(\.offset) == [11, 12])
                fixture.time.advance(by: day)
                try await store.sweep()
                let page = try await fixture.read(of: store)
                #expect(page.messages == [])
                #expect(page.head.offset == 12)
                #expect(await fixture.append(20...20, to: store).map(\.offset) == [13])
            }
        },
        DurableStoreContract("a closed store refuses, and what came before its close is answered") { fixture in
            let (early, late, page) = try await fixture.withStore { store in
                let answers = Answers()
                for id in 1...100 { store.append([fixture.draft(id)]) { answers.add($0) } }
                await store.close()
                let late = await store.append([fixture.draft(1000)])
                let request = HistoryRequest(room: fixture.room, range: .newest, messagesMax: 1, bytesMax: 1)
                let noted = await store.store([
                    ReceiptNote(room: fixture.room, epoch: Epoch("e"), user: .bob, Receipt(seen: 1))
                ])
                #expect(throws: StoreError(.closed, "The store is closed.", mayBeStored: false)) { try noted.get() }
                return (answers.all, late, await store.read(request))
            }
            #expect(early.map(\.offset) == (1...100).map { UInt64($0) })
            #expect(late == [.failed(StoreError(.closed, "The store is closed.", mayBeStored: false))])
            #expect(throws: StoreError(.closed, "The store is closed.", mayBeStored: false)) { try page.get() }
            try #expect(await fixture.withStore { try await fixture.read(of: $0).messages.count } == 100)
        },
        DurableStoreContract("what is above the bound is refused at once") { fixture in
            var settings = StoreSettings()
            settings.draftsWaitingMax = 3
            let store = try fixture.open(settings)
            let answers = Answers()
            // The completion of the first append blocks the store's thread until all others are queued.
            let gate = Gate()
            store.append([fixture.draft(0)]) { outcomes in
                answers.add(outcomes)
                gate.arrive()
                gate.pass()
            }
            await gate.waitForArrival()
            for id in 1...3 { store.append([fixture.draft(id)]) { answers.add($0) } }
            let refused = await store.append([fixture.draft(4)])
            gate.open()
            await store.close()
            #expect(
                refused == [
                    .failed(StoreError(.busy, "The store's queue is full. Try again shortly.", mayBeStored: false))
                ])
            #expect(answers.all.map(\.offset) == [1, 2, 3, 4])
        },
    ]
}
