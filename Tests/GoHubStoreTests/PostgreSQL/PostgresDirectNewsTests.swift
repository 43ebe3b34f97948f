import CGoHubPQ
import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubStore

/// The list of what the hubs of a cluster store in direct conversations, with two hubs' stores on one database.
struct PostgresDirectNewsTests {
    private let fixture: PostgresFixture
    private let stores: [PostgresMessageStore]
    private let rooms: DurableStoreFixture
    private let direct: RoomID

    init() async throws {
        let fixture = try await PostgresFixture()
        self.fixture = fixture
        var options = PostgresOptions.patient
        options.isClustered = true
        let stores = try (0..<2).map { [options] _ in try PostgresMessageStore(url: fixture.url, options: options) }
        self.stores = stores
        rooms = DurableStoreFixture { _ in stores[0] }
        direct = RoomID(tenant: rooms.room.tenant, name: .direct(.alice, .bob))
    }

    private func close() async {
        for store in stores { await store.close() }
    }

    private func start() async throws -> DirectNews.Cursor {
        let node = try NodeID(name: #require(NodeName("a")), incarnation: #require(NodeIncarnation(1)))
        return try await stores[1].renewed(node).directNews
    }

    private func news(_ cursor: DirectNews.Cursor, of store: Int = 1) async throws -> DirectNews {
        try await withCheckedContinuation { continuation in
            stores[store].readDirectNews(after: cursor) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Direct messages with these ids, stored together.
    private func send(_ ids: ClosedRange<Int>, in room: RoomID? = nil) async -> [AppendOutcome] {
        await stores[0].append(ids.map { rooms.draft($0, in: room ?? direct) })
    }

    private func execute(_ sql: String) throws -> String {
        try fixture.server.execute(sql, schema: fixture.schema)
    }

    // MARK: The list

    @Test func otherHubReadsWhatWasStored() async throws {
        let cursor = try await start()
        let stored = await send(1...3)
        let epoch = try #require(stored.first?.position?.epoch)
        // A plain room has members, whose hubs compare its head.
        _ = await rooms.append(4...4, to: stores[0])
        let first = try await news(cursor)
        #expect(first.items.map(\.room) == [direct])
        #expect(first.items.map(\.epoch) == [epoch])
        #expect(first.items.map(\.offsets) == [1...3])
        #expect(!first.more)
        #expect(!first.hasGap)
        #expect(try await news(cursor, of: 0).items == [], "the hub that stored them has delivered them")
        _ = await send(5...5)
        let second = try await news(first.cursor)
        #expect(second.items.last?.offsets == 4...4)
        await close()
    }

    @Test func changesAndRepetitionsAreListed() async throws {
        _ = await send(1...2)
        let cursor = try await start()
        // A repetition after a lost answer, with a new message in its batch.
        #expect(await send(2...3).map(\.isDuplicate) == [true, false])
        let change = ChangeRequest(of: 1, .delete(mayModerate: false))
        let draft = MessageDraft(
            room: direct, id: .named("c"), from: Member(user: .alice), receivedAt: rooms.time.wall, change)
        #expect(await stores[0].append([draft]).map(\.offset) == [4])
        // The repetition was noticed after the batch had been listed as new. Transactions of other tests may hold the
        // place back, so that earlier items are read, too.
        let items = try await news(cursor).items
        #expect(items.map(\.offsets).suffix(3) == [1...2, 2...3, 4...4])
        await close()
    }

    @Test func hubOutsideAClusterListsNothing() async throws {
        let cursor = try await start()
        let alone = try PostgresMessageStore(url: fixture.url, options: .patient)
        _ = await alone.append([rooms.draft(1, in: direct)])
        #expect(try await news(cursor).items == [])
        #expect(try execute("SELECT count(*) FROM gohub_direct_news") == "0")
        await alone.close()
        await close()
    }

    @Test func longListIsReadInParts() async throws {
        let cursor = try await start()
        let names = (0..<2_500).map { RoomName.direct(.alice, .named("user-\($0)")) }
        for part in stride(from: 0, to: names.count, by: 500) {
            _ = await stores[0].append(
                names[part..<part + 500].map {
                    rooms.draft(1, in: RoomID(tenant: direct.tenant, name: $0))
                })
        }
        var found: [RoomName] = []
        var part = try await news(cursor)
        found += part.items.map(\.room.name)
        while part.more {
            #expect(part.items.count == DirectNews.itemsMax)
            part = try await news(part.cursor)
            found += part.items.map(\.room.name)
        }
        #expect(found.count == names.count)
        #expect(Set(found) == Set(names))
        // The next round begins behind them, unless an older transaction of another test is still in progress.
        let next = try await news(part.cursor)
        #expect(Set(next.items.map(\.room.name)).isSubset(of: Set(names)))
        await close()
    }

    /// A row of an older transaction appears behind the reader.
    @Test func transactionsThatCommitLateAreNotMissed() async throws {
        // Creates the conversation.
        _ = await send(1...1)
        let cursor = try await start()
        let late = try OpenTransaction(fixture)
        try late.execute(
            """
            INSERT INTO gohub_direct_news (origin, tenant, name, epoch, first, last, at)
            SELECT 1, tenant, name, epoch, 77, 78, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
            FROM gohub_room WHERE name LIKE 'dm:%'
            """)
        _ = await send(2...2)
        let first = try await news(cursor)
        #expect(first.items.last?.offsets == 2...2)
        let between = try await news(first.cursor)
        #expect(between.items.last == first.items.last, "read again, with the same number")
        try late.execute("COMMIT")
        let second = try await news(between.cursor)
        #expect(second.items.map(\.offsets).suffix(2) == [77...78, 2...2])
        await close()
    }

    // MARK: Gaps

    @Test func readerThatWasAwayForTooLongIsTold() async throws {
        let cursor = try await start()
        _ = await send(1...1)
        var parts = cursor.text.split(separator: ":").map(String.init)
        let time = try #require(Int64(parts[1]))
        parts[1] = String(time - Int64(PostgresDirectNews.keptFor.value))
        let late = try await news(DirectNews.Cursor(parts.joined(separator: ":")))
        #expect(late.hasGap)
        #expect(late.items == [])
        #expect(try await !news(late.cursor).hasGap)
        await close()
    }

    /// After a failover the numbers of transactions may be given again.
    @Test func cursorOfAnotherTimelineHasAGap() async throws {
        let cursor = try await start()
        _ = try execute("UPDATE gohub_database SET timeline = '0000002A'")
        #expect(try await news(cursor).hasGap)
        #expect(try await news(DirectNews.Cursor("nonsense")).hasGap)
        await close()
    }

    @Test func oldRowsAreRemoved() async throws {
        _ = await send(1...1)
        _ = try execute("UPDATE gohub_direct_news SET at = at - \(PostgresDirectNews.keptFor.value)")
        _ = await send(2...2)
        try await stores[0].sweep()
        #expect(try execute("SELECT string_agg(last::text, ',') FROM gohub_direct_news") == "2")
        await close()
    }
}

/// A connection of the test's own with a transaction in progress.
private final class OpenTransaction {
    struct Failure: Error {
        let message: String
    }

    private let connection: OpaquePointer?

    init(_ fixture: PostgresFixture) throws {
        connection = PQconnectdb(fixture.url)
        try execute("BEGIN")
    }

    deinit {
        PQfinish(connection)
    }

    func execute(_ sql: String) throws {
        let result = PQexec(connection, sql)
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_COMMAND_OK else {
            throw Failure(message: String(cString: PQerrorMessage(connection)))
        }
    }
}
