import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// A server that takes over and hasn't got everything.
struct PostgresTimelineTests {
    private static let warning = "another server has taken over"

    private func warnings(_ reports: Reports) -> Int { reports.all.count { $0.contains(Self.warning) } }

    /// Like a client: a failed message is sent again with the same id.
    private func append(
        _ id: Int, to store: PostgresMessageStore, in room: DurableStoreFixture
    ) async -> AppendOutcome? {
        for _ in 0..<1000 {
            let outcome = await room.append(id...id, to: store).first
            if outcome?.offset != nil { return outcome }
        }
        return nil
    }

    @Test func failoverThatLosesMessagesGivesNewEpochs() async throws {
        let primary = try await PostgresServer.start()
        let fixture = try await PostgresFixture(primary)
        let replica = try await PostgresServer.startReplica(of: primary)
        let reports = [Reports(), Reports()]
        // Two hubs, which both find out at the same time.
        let stores = try reports.map { reports in
            try PostgresMessageStore(
                url: primary.url(schema: fixture.schema, orReplica: replica),
                options: reports.options { $0.deadline = 60_000 })
        }
        let room = DurableStoreFixture { _ in stores[0] }
        let quiet = RoomID(tenant: room.room.tenant, name: .named("quiet"))
        #expect(await room.append(1...5, to: stores[0]).map(\.offset) == [1, 2, 3, 4, 5])
        #expect(await stores[1].append([room.draft(1, in: quiet)]).map(\.offset) == [1])
        try await room.note([.bob: 4], in: stores[0])
        let schema = fixture.schema
        try await waitUntil("the replica has all") {
            (try? replica.execute("SELECT count(*) FROM gohub_receipt", schema: schema)) == "1"
        }
        try await replica.stopReceiving()

        // Acknowledged, and about to be lost.
        #expect(await room.append(6...8, to: stores[0]).map(\.offset) == [6, 7, 8])
        let before = try await room.read(of: stores[0]).head
        #expect(before.offset == 8)
        try await primary.end()
        try await replica.promote()

        // A client's repeat of a lost message is a new message, of a kept one a duplicate in the new epoch.
        let again = await append(7, to: stores[0], in: room)
        #expect(again?.offset == 6)
        #expect(again?.isDuplicate == false)
        let epoch = try #require(again?.position?.epoch)
        #expect(epoch != before.epoch)
        let kept = await append(3, to: stores[1], in: room)
        #expect(kept?.isDuplicate == true)
        #expect(kept?.position == Position(epoch: epoch, offset: 3))

        let page = try await room.read(of: stores[1])
        #expect(page.head == Position(epoch: epoch, offset: 6))
        #expect(page.messages.map(\.id.value) == ["1", "2", "3", "4", "5", "7"])
        // Nothing tells that this room lost nothing.
        let request = HistoryRequest(room: quiet, range: .newest, messagesMax: 1, bytesMax: 1000)
        let head = try await stores[0].read(request).get().head
        #expect(head == Position(epoch: epoch, offset: 1))
        // A receipt of the old epoch may be for a lost message. Those that were kept stay.
        try await stores[0].store(
            [ReceiptNote(room: room.room, epoch: before.epoch, user: .carol, Receipt(seen: 2))]
        ).get()
        try await room.note([.named("dave"): 6], in: stores[0])
        try #expect(await room.receipts(in: stores[0]) == [.bob: 4, .named("dave"): 6])

        #expect(reports.map { warnings($0) }.reduce(0, +) == 1, "\(reports.map(\.all))")
        #expect(try replica.execute("SELECT timeline FROM gohub_database", schema: schema) == "00000002")
        for store in stores { await store.close() }
    }

    /// Otherwise its connection would outlive the promotion, and append without a look at the timeline.
    @Test func replicaIsNotWrittenToBeforeItIsPromoted() async throws {
        let primary = try await PostgresServer.start()
        let fixture = try await PostgresFixture(primary)
        let first = try PostgresMessageStore(url: fixture.url, options: .patient)
        let room = DurableStoreFixture { _ in first }
        #expect(await room.append(1...2, to: first).map(\.offset) == [1, 2])
        let epoch = try await room.read(of: first).head.epoch
        let replica = try await PostgresServer.startReplica(of: primary)
        let reports = Reports()
        let second = try PostgresMessageStore(
            url: replica.url(schema: fixture.schema), options: reports.options { $0.deadline = 60_000 })
        try await waitUntil("it is refused") { reports.all.contains { $0.contains("the server is a replica") } }
        #expect(!second.isReady)
        try await primary.end()
        try await replica.promote()
        let outcome = await append(3, to: second, in: room)
        #expect(outcome?.offset == 3)
        #expect(outcome?.position?.epoch != epoch)
        #expect(warnings(reports) == 1)
        await first.close()
        await second.close()
    }

    // MARK: What is stored

    private func head(_ fixture: PostgresFixture, _ reports: Reports = Reports()) async throws -> Position {
        let store = try PostgresMessageStore(url: fixture.url, options: reports.options())
        let room = RoomID(tenant: .named("t"), name: .lobby)
        let draft = MessageDraft(
            room: room, id: .named("1"), from: Member(user: .alice), receivedAt: .ms(1), text: "x")
        let position = await store.append([draft]).first?.position
        try await waitUntil("ready") { store.isReady }
        await store.close()
        return try #require(position)
    }

    @Test func firstTimelineIsOnlyNoted() async throws {
        let fixture = try await PostgresFixture()
        let first = try await head(fixture)
        try fixture.server.execute("UPDATE gohub_database SET timeline = NULL", schema: fixture.schema)
        let reports = Reports()
        try #expect(await head(fixture, reports) == first)
        #expect(warnings(reports) == 0)
        let timeline = try fixture.server.execute("SELECT timeline FROM gohub_database", schema: fixture.schema)
        #expect(timeline == "00000001")
    }

    @Test func sameTimelineChangesNothing() async throws {
        let fixture = try await PostgresFixture()
        let first = try await head(fixture)
        try #expect(await head(fixture) == first)
    }

    /// Also a lower one: an upgrade of the server begins again at 1.
    @Test func anyOtherTimelineGivesNewEpochs() async throws {
        let fixture = try await PostgresFixture()
        let first = try await head(fixture)
        try fixture.server.execute("UPDATE gohub_database SET timeline = '00000003'", schema: fixture.schema)
        let reports = Reports()
        let second = try await head(fixture, reports)
        #expect(second.epoch != first.epoch)
        #expect(second.offset == 1, "the message is still there")
        #expect(warnings(reports) == 1)
        #expect(reports.all.contains { $0.contains("timeline 00000003, now 00000001") })
        let epochs = try fixture.server.execute(
            "SELECT count(DISTINCT epoch) FROM (SELECT epoch FROM gohub_room UNION SELECT epoch FROM gohub_database) e",
            schema: fixture.schema)
        #expect(epochs == "1")
    }

    /// Hosted servers may forbid the functions.
    @Test func serverThatHidesItsTimelineIsUsed() async throws {
        let server = try await PostgresServer.start()
        let fixture = try await PostgresFixture(server)
        try server.execute("CREATE ROLE plain LOGIN")
        try server.execute("GRANT ALL ON SCHEMA \(fixture.schema) TO plain")
        try server.execute("REVOKE EXECUTE ON FUNCTION pg_walfile_name FROM PUBLIC")
        let reports = Reports()
        let store = try PostgresMessageStore(
            url: server.url(schema: fixture.schema, user: "plain"), options: reports.options())
        try await waitUntil("ready") { store.isReady }
        let room = DurableStoreFixture { _ in store }
        #expect(await room.append(1...1, to: store).map(\.offset) == [1])
        #expect(reports.all.count { $0.contains("a failover that loses messages is not noticed") } == 1)
        await store.close()
    }
}
