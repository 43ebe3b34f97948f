import GoHubTestSupport
import Testing

@testable import GoHubCore

struct InMemoryMessageStoreTests {
    @Test(arguments: MessageStoreContract.checks)
    func keepsTheContract(_ check: MessageStoreContract) async {
        await check.run(on: InMemoryMessageStore(seed: 1))
    }

    @Test(arguments: MessageStoreContract.fileChecks)
    func keepsTheContractOfFiles(_ check: MessageStoreContract) async {
        let files = TestRoomFiles()
        await check.run(on: InMemoryMessageStore(seed: 1, files: files), files: files)
    }

    /// Full hashes collide once in 2⁶⁴: here all ids have one hash, or one of two.
    @Test(arguments: MessageStoreContract.checks, [0, 1])
    func keepsTheContractWhenIDsHaveOneHash(_ check: MessageStoreContract, mask: Int) async {
        await check.run(
            on: InMemoryMessageStore(capacity: .init(), seed: 1, idHashMask: mask, now: Hub.Time.system.now))
    }

    @Test func collidingIDsAreKnownWhileTheirMessagesExist() async throws {
        let store = InMemoryMessageStore(
            capacity: .init(messagesPerRoomMax: 3), seed: 1, idHashMask: 0, now: Hub.Time.system.now)
        _ = await store.append((1...5).map { draft("\($0)") })
        #expect(await store.append([draft("3"), draft("5"), draft("4")]).map(\.isDuplicate) == [true, true, true])
        // The oldest kept one is evicted for an unknown id.
        #expect(await store.append([draft("2")]).map(\.offset) == [6])
        #expect(await store.append([draft("3"), draft("5"), draft("2")]).map(\.offset) == [7, 5, 6])
        // The newest one with the hash is gone: none is left.
        let single = InMemoryMessageStore(
            capacity: .init(messagesPerRoomMax: 1), seed: 1, idHashMask: 0, now: Hub.Time.system.now)
        #expect(await single.append((1...3).map { draft("\($0)") }).map(\.offset) == [1, 2, 3])
        #expect(await single.append([draft("3"), draft("1"), draft("1")]).map(\.offset) == [3, 4, 4])
    }

    @Test func runsHaveDifferentEpochs() async throws {
        let request = HistoryRequest(room: .lobby, range: .newest, messagesMax: 1, bytesMax: 1)
        let one = try await InMemoryMessageStore(seed: 1).read(request).get()
        let other = try await InMemoryMessageStore(seed: 1000).read(request).get()
        #expect(one.head.epoch != other.head.epoch)
    }

    @Test func oldestMessagesAreEvicted() async throws {
        let store = InMemoryMessageStore(capacity: .init(messagesPerRoomMax: 3), seed: 1)
        _ = await store.append((1...5).map { draft("\($0)") })
        let page = try await read(store, .after(0))
        #expect(page.messages.map(\.offset) == [3, 4, 5])
        #expect(page.head.offset == 5)
        try #expect(await read(store, .before(3)).messages == [])
        // The idempotency window stays.
        #expect(await store.append([draft("5"), draft("3"), draft("1")]).map(\.offset) == [5, 3, 6])
    }

    @Test func oldestBytesAreEvictedButNotTheLastMessage() async throws {
        let store = InMemoryMessageStore(capacity: .init(bytesPerRoomMax: 10), seed: 1)
        _ = await store.append([draft("1", text: "12345"), draft("2", text: "12345")])
        try #expect(await read(store, .newest).messages.map(\.offset) == [1, 2])
        _ = await store.append([draft("3", text: "1")])
        try #expect(await read(store, .newest).messages.map(\.offset) == [2, 3])
        _ = await store.append([draft("4", text: "longer than ten bytes")])
        try #expect(await read(store, .newest).messages.map(\.offset) == [4])
    }

    @Test func evictedMessagesReleaseTheirFiles() async {
        let files = TestRoomFiles()
        let store = InMemoryMessageStore(
            capacity: .init(roomsMax: 2, messagesPerRoomMax: 3, bytesPerRoomMax: 3000), seed: 1, files: files)
        let file = StoredFile.test(in: .lobby)
        files.add(file)
        func held(_ id: String, alt: String = "x") -> MessageDraft {
            MessageDraft(
                room: .lobby, id: .named(id), from: Member(user: .alice), receivedAt: .ms(9), text: "x",
                files: [FileReference(file.id, alt: AltText(alt))])
        }
        _ = await store.append([held("1"), held("2"), held("3"), held("4")])
        #expect(files.use(of: file.id)?.count == 3, "as many as there are messages")
        // File descriptions count in the bytes: three of these are too many.
        _ = await store.append((5...8).map { held("\($0)", alt: String(repeating: "x", count: 1000)) })
        #expect(files.use(of: file.id)?.count == 2)
        // The room goes as a whole.
        _ = await store.append([draft("1", in: "two")])
        #expect(files.use(of: file.id)?.count == 2)
        _ = await store.append([draft("1", in: "three")])
        #expect(files.use(of: file.id)?.count == 0)
    }

    @Test func evictedRoomGetsAnotherEpoch() async throws {
        let store = InMemoryMessageStore(capacity: .init(roomsMax: 2), seed: 1)
        _ = await store.append([draft("1", in: "one"), draft("1", in: "two")])
        let epoch = try await read(store, .newest, in: "one").head.epoch
        // `two` is now the least recently used room.
        _ = await store.append([draft("1", in: "three")])
        try #expect(await read(store, .newest, in: "one").head == Position(epoch: epoch, offset: 1))
        let two = try await read(store, .newest, in: "two")
        #expect(two.head.offset == 0)
        #expect(two.head.epoch != epoch)
    }

    @Test func readingEvictsNothing() async throws {
        let store = InMemoryMessageStore(capacity: .init(roomsMax: 2), seed: 1)
        _ = await store.append([draft("1", in: "one"), draft("1", in: "two")])
        for number in 1...10 { _ = try await read(store, .newest, in: "looked-at-\(number)") }
        try #expect(await read(store, .newest, in: "one").head.offset == 1)
        try #expect(await read(store, .newest, in: "two").head.offset == 1)
    }

    @Test func unusedRoomKeepsItsEpoch() async throws {
        let store = InMemoryMessageStore(seed: 1)
        let told = try await read(store, .newest).head.epoch
        #expect(await store.append([draft("1")]) == [.stored(Position(epoch: told, offset: 1), at: .ms(0))])
    }

    @Test func bytesOfAllRoomsAreLimited() async throws {
        let store = InMemoryMessageStore(capacity: .init(bytesMax: 10_000), seed: 1)
        for number in 1...20 {
            _ = await store.append([draft("1", in: "r\(number)", text: String(repeating: "x", count: 1000))])
        }
        var kept = 0
        for number in 1...20 { kept += try await read(store, .newest, in: "r\(number)").messages.count }
        #expect(kept <= 9)
        try #expect(await read(store, .newest, in: "r20").messages.count == 1)
    }

    @Test func receiptsOfLeastRecentlyUsedRoomAreEvicted() async throws {
        let store = InMemoryMessageStore(capacity: .init(receiptsMax: 2), seed: 1)
        func note(_ user: UserID, _ offset: Offset, in room: String) async throws {
            let epoch = try await read(store, .newest, in: room).head.epoch
            try await store.store([ReceiptNote(room: .named(room), epoch: epoch, user: user, Receipt(seen: offset))])
                .get()
        }
        func rooms(of user: UserID) async throws -> [String] {
            let request = RoomsRequest(
                user: UserKey(tenant: .standard, user: user), grants: .participant, roomsMax: 10, bytesMax: 10_000)
            return try await store.read(request).get().rooms.map(\.room.value)
        }
        for room in ["one", "two"] { _ = await store.append([draft("1", in: room), draft("2", in: room)]) }
        try await note(.alice, 1, in: "one")
        try await note(.alice, 1, in: "two")
        try await note(.alice, 2, in: "two")
        try #expect(await rooms(of: .alice) == ["one", "two"], "one that grows takes no place")
        try await note(.bob, 1, in: "two")
        try #expect(await rooms(of: .alice) == ["two"])
        try #expect(await rooms(of: .bob) == ["two"])
        try #expect(await read(store, .newest, in: "one").messages.count == 2, "messages stay")
    }

    @Test func capacityIsAtLeastOne() async throws {
        let store = InMemoryMessageStore(
            capacity: .init(roomsMax: 0, messagesPerRoomMax: -1, bytesPerRoomMax: 0), seed: 1)
        #expect(await store.append([draft("1"), draft("2")]).map(\.offset) == [1, 2])
        try #expect(await read(store, .newest).messages.map(\.offset) == [2])
    }

    private func draft(_ id: String, in room: String = "lobby", text: String = "text") -> MessageDraft {
        MessageDraft(
            room: .named(room), id: .named(id), from: Member(user: .alice), receivedAt: .ms(0), text: text)
    }

    private func read(
        _ store: InMemoryMessageStore, _ range: HistoryRange, in room: String = "lobby"
    ) async throws -> HistoryPage {
        try await store.read(HistoryRequest(room: .named(room), range: range, messagesMax: 100, bytesMax: 1000)).get()
    }
}
