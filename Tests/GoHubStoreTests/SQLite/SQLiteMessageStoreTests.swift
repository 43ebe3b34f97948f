import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

struct SQLiteMessageStoreTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("hub.sqlite") }

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test(arguments: MessageStoreContract.checks)
    func keepsTheContract(_ check: MessageStoreContract) async throws {
        let store = try SQLiteMessageStore(path: path)
        await check.run(on: store)
        await store.close()
    }

    /// Without a store of their own the checks find no files, and fail.
    private static func catalog(_ store: any DurableMessageStore) -> any FileCatalog {
        if let store = store as? SQLiteMessageStore { return store }
        return InMemoryFileCatalog()
    }

    @Test(arguments: MessageStoreContract.fileChecks)
    func keepsTheContractOfFiles(_ check: MessageStoreContract) async throws {
        let store = try SQLiteMessageStore(path: path)
        await check.run(on: store, files: CatalogFiles(store))
        await store.close()
    }

    @Test(arguments: DurableStoreContract.fileChecks)
    func keepsTheContractOfFilesOverTime(_ check: DurableStoreContract) async throws {
        try await check.run(
            { [path] in try SQLiteMessageStore(path: path, settings: $0) },
            catalog: { Self.catalog($0) })
    }

    @Test(arguments: DurableStoreContract.checks)
    func keepsTheContractOverTime(_ check: DurableStoreContract) async throws {
        try await check.run { [path] in try SQLiteMessageStore(path: path, settings: $0) }
    }

    @Test func aNewFileHasNewEpochs() async throws {
        var epochs: Set<Epoch> = []
        for name in ["one", "two"] {
            let fixture = DurableStoreFixture { [directory] in
                try SQLiteMessageStore(path: directory.file(name), settings: $0)
            }
            epochs.insert(try await fixture.withStore { try await fixture.read(of: $0).head.epoch })
        }
        #expect(epochs.count == 2)
    }

    @Test func concurrentReadersAndWritersSeeOneOrder() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        try await fixture.withStore { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        for number in 0..<50 {
                            _ = await fixture.append((writer * 100 + number)...(writer * 100 + number), to: store)
                        }
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        var seen: [StoredMessage] = []
                        while seen.count < 200 {
                            let page = try await fixture.read(.after(seen.last?.offset ?? 0), of: store)
                            seen += page.messages
                            #expect(page.head.offset == UInt64(seen.count), "a page leads up to its head")
                        }
                        #expect(seen.map(\.offset) == (1...200).map { UInt64($0) })
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func commandsRespectBanAndMute() async throws {
        let store = try SQLiteMessageStore(path: path)
        try await ModeratedUserWalk(store).run()
        await store.close()
    }

    @Test func restartRestoresReceipts() async throws {
        func withHub<Result: Sendable>(_ body: @Sendable (Hub) async throws -> Result) async throws -> Result {
            let store = try SQLiteMessageStore(path: path)
            let hub = Hub(store: store)
            let result = try await body(hub)
            hub.drain(DrainPlan(closeOver: 0, reconnectOver: 0))
            // The clock closes the remaining ones.
            let clock = Task { await hub.run(every: .milliseconds(1)) }
            defer { clock.cancel() }
            try await waitUntil("drained") { hub.isDrained }
            await store.close()
            return result
        }
        try await withHub { hub in
            let alice = try await hub.connect(Credentials(user: .alice))
            let bob = try await hub.connect(Credentials(user: .bob))
            for client in [alice, bob] { try await client.join(.lobby) }
            for text in ["one", "two", "three"] { try await alice.send(text, to: .lobby) }
            bob.note(Receipt(delivered: 3, seen: 2), in: .lobby)
            try await alice.whisper("psst", to: .bob)
        }
        try await withHub { hub in
            let bob = try await hub.connect(Credentials(user: .bob))
            let joined = try await bob.join(.lobby)
            #expect(
                joined.receipts == [
                    UserReceipt(user: .alice, Receipt(seen: 3)),
                    UserReceipt(user: .bob, Receipt(delivered: 3, seen: 2)),
                ])
            let rooms = try await bob.rooms().rooms
            #expect(rooms.map(\.room) == [.direct(.alice, .bob), .lobby])
            #expect(rooms.map(\.unread) == [1, 1])
            #expect(rooms.map(\.last?.text) == ["psst", "three"])
        }
    }

    private static let dropFiles =
        "DROP TABLE upload; DROP TABLE file; DROP TABLE message_file; DROP TABLE blob; DROP TABLE file_usage; "
        + "ALTER TABLE message DROP COLUMN files; DROP TABLE sanction;"
    private static let dropFollowing =
        "ALTER TABLE receipt DROP COLUMN is_followed; ALTER TABLE receipt DROP COLUMN followed_at;"

    @Test func migrationToFollowingKeepsAll() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        let before = try await fixture.withStore { try await fixture.fillForMigration($0) }
        let connection = try SQLiteConnection(path: path)
        try connection.execute("DROP TABLE sanction; \(Self.dropFollowing) PRAGMA user_version = 5")
        try await fixture.withStore { try await fixture.checkMigratedToFollowing($0, before) }
    }

    @Test func expiredSanctionsAreRemoved() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        try await fixture.withStore { store in
            let connection = try SQLiteConnection(path: path)
            try await fixture.sanction([.bob: .ban(60_000), .carol: .mute(60_001)], in: store)
            fixture.time.advance(by: 59_999)
            try #expect(await fixture.sanctions(in: store).map(\.left) == [1, 2])
            fixture.time.advance(by: 1)
            try #expect(await fixture.sanctions(in: store).map(\.user) == [.carol])
            try await store.sweep()
            try #expect(connection.integer("SELECT count(*) FROM sanction") == 1)
        }
    }

    @Test func migrationToMessageFilesKeepsAll() async throws {
        let fixture = DurableStoreFixture(
            open: { [path] in try SQLiteMessageStore(path: path, settings: $0) },
            catalog: { Self.catalog($0) })
        let before = try await fixture.withStore { try await fixture.fillForMigration($0) }
        let connection = try SQLiteConnection(path: path)
        try connection.execute(
            "ALTER TABLE message DROP COLUMN files; DROP TABLE sanction; \(Self.dropFollowing) PRAGMA user_version = 4")
        try await fixture.withStore { try await fixture.checkMigratedToFiles($0, before) }
    }

    @Test func malformedFileRowsAreAnError() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        try await fixture.withStore { store in
            _ = await fixture.append(1...1, to: store)
            try SQLiteConnection(path: path).execute("UPDATE message SET files = 'x'")
            await #expect(throws: StoreError.self) { try await fixture.read(of: store) }
        }
    }

    @Test func firstVersionIsMigrated() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        let head = try await fixture.withStore { store in
            _ = await fixture.append(1...3, to: store)
            return try await fixture.read(of: store).head
        }
        let connection = try SQLiteConnection(path: path)
        // All that later versions have added.
        try connection.execute(
            """
            DROP TABLE receipt; DROP TABLE fact; DROP TABLE reaction; ALTER TABLE message DROP COLUMN amendments;
            \(Self.dropFiles) PRAGMA user_version = 1
            """)
        try await fixture.withStore { store in
            try #expect(await fixture.read(of: store).head == head)
            let note = ReceiptNote(room: fixture.room, epoch: head.epoch, user: .bob, Receipt(seen: 2))
            try await store.store([note]).get()
        }
        #expect(try connection.integer("PRAGMA user_version") == Int64(SQLiteSchema.version))
    }

    @Test func secondVersionMigrationKeepsAll() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        let before = try await fixture.withStore { try await fixture.fillForMigration($0) }
        let connection = try SQLiteConnection(path: path)
        try connection.execute(
            """
            DROP TABLE fact; DROP TABLE reaction; ALTER TABLE message DROP COLUMN amendments;
            \(Self.dropFiles) \(Self.dropFollowing) PRAGMA user_version = 2
            """)
        try await fixture.withStore { try await fixture.checkMigrated($0, before) }
    }

    @Test func deletedTextIsInNoRow() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        try await fixture.withStore { store in
            _ = await store.append([fixture.draft(1, text: "a text to be forgotten")])
            _ = await store.append([fixture.edit(1, to: "another text to be forgotten")])
            _ = await store.append([fixture.react(.thumb, to: 1)])
            _ = await store.append([fixture.delete(1)])
        }
        let connection = try SQLiteConnection(path: path)
        let tables = ["database", "room", "message", "command", "receipt", "fact", "reaction"]
        for table in tables {
            let columns = try connection.text(
                "SELECT group_concat(name, ' || '' '' || ') FROM pragma_table_info('\(table)')")
            let rows = try connection.text("SELECT group_concat(coalesce(\(columns), '')) FROM \(table)")
            #expect(!rows.contains("forgotten"), "\(table)")
        }
        #expect(try connection.integer("SELECT count(*) FROM reaction") == 0)
    }

    @Test func onlyExpiredCommandsAreRemoved() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        try await fixture.withStore { store in
            // Old and new messages alternate, and both are more than a step of the sweep takes.
            for old in [true, false] {
                if !old { fixture.time.advance(by: 1) }
                let ids = (1...5_000).filter { ($0 % 3 == 0) != old }
                _ = await store.append(ids.map { fixture.draft($0) })
            }
            fixture.time.advance(by: Milliseconds(DurableStoreContract.day.value - 1))
            try await store.sweep()
        }
        let connection = try SQLiteConnection(path: path)
        #expect(try connection.integer("SELECT count(*) FROM command") == 1_666)
        #expect(try connection.integer("SELECT count(*) FROM command WHERE CAST(id AS INTEGER) % 3 <> 0") == 0)
    }

    @Test func onlyOwnerCanReadDatabaseFiles() async throws {
        let store = try SQLiteMessageStore(path: path)
        _ = await store.append([
            MessageDraft(room: .lobby, id: .named("a"), from: Member(user: .alice), receivedAt: .ms(0), text: "secret")
        ])
        for name in ["hub.sqlite", "hub.sqlite-wal", "hub.sqlite-shm", "hub.sqlite-lock"] {
            var status = stat()
            #expect(stat(directory.file(name), &status) == 0, "\(name)")
            #expect(status.st_mode & 0o777 == 0o600, "\(name)")
        }
        await store.close()
    }

    @Test func fileLimitFailsAppendsUntilSpaceIsFree() async throws {
        let fixture = DurableStoreFixture { [path] in
            try SQLiteMessageStore(path: path, options: .init(bytesMax: 200_000), settings: $0)
        }
        try await fixture.withStore(Retention(messagesPerRoomMax: 1)) { store in
            var id = 0
            var stored: [AppendOutcome] = []
            var failure: AppendOutcome?
            while failure == nil, id < 1000 {
                id += 1
                let draft = fixture.draft(id, text: String(repeating: "x", count: 4000))
                let outcome = await store.append([draft])
                if outcome.first?.position == nil { failure = outcome.first } else { stored += outcome }
            }
            guard case .failed(let error)? = failure else { throw TemporaryDirectory.Failure(what: "never full") }
            #expect(error.message.contains("no space is left"))
            #expect(stored.count > 10)
            let page = try await fixture.read(of: store)
            #expect(page.messages.map(\.offset) == stored.map(\.offset), "what was acknowledged, and nothing else")
            try await store.sweep()
            // The failed batch left nothing: its retry is new, and takes the next offset.
            let retry = await fixture.append(id...id, to: store)
            #expect(retry.map(\.isDuplicate) == [false])
            #expect(retry.map(\.offset) == [UInt64(stored.count) + 1])
        }
    }
}
