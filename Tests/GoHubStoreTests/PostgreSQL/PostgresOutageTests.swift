import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// Server crashes, and a network that loses, stalls and recovers.
struct PostgresOutageTests {
    @Test func nothingAcknowledgedIsLostWhenTheServerIsKilled() async throws {
        let server = try await PostgresServer.start()
        let fixture = try await PostgresFixture(server)
        let reports = Reports()
        let store = try PostgresMessageStore(url: fixture.url, options: reports.options { $0.deadline = 60_000 })
        let room = DurableStoreFixture { _ in store }
        let acknowledged = Answers()
        let gate = AsyncStream.makeStream(of: Int.self)
        // Like a client: failed messages are sent again with the same id.
        let writing = Task {
            for id in 1...400 {
                var outcome: AppendOutcome?
                for _ in 0..<1000 where outcome?.offset == nil {
                    outcome = await store.append([room.draft(id)]).first
                }
                acknowledged.add(outcome.map { [$0] } ?? [])
                gate.continuation.yield(id)
            }
        }
        for await id in gate.stream where id >= 100 { break }
        try await server.crash()
        await writing.value
        #expect(acknowledged.all.compactMap(\.offset) == (1...400).map { UInt64($0) })
        let page = try await room.read(.after(0), of: store)
        #expect(page.messages.map(\.offset) == (1...400).map { UInt64($0) })
        #expect(page.messages.map(\.id.value) == (1...400).map { "\($0)" })
        try await waitUntil("ready again") { store.isReady }
        #expect(reports.all.contains { $0.hasPrefix("lost") })
        await store.close()
    }

    @Test func retryAfterLostAnswerIsADuplicate() async throws {
        let fixture = try await PostgresFixture()
        let proxy = try FaultyProxy(to: fixture.server.port)
        defer { proxy.end() }
        let reports = Reports()
        let store = try PostgresMessageStore(url: fixture.url(through: proxy), options: reports.options())
        let room = DurableStoreFixture { _ in store }
        #expect(await room.append(1...1, to: store).map(\.offset) == [1])
        // Until then the other connection is busy with a COMMIT of its own, from reading the tables.
        try await waitUntil("ready") { store.isReady }
        proxy.mode = .loseAnswerOfCommit
        let lost = await room.append(2...3, to: store)
        #expect(lost.map(\.offset) == [nil, nil])
        #expect(proxy.lost == 1)
        // It was stored: the repeat gets its offset.
        let again = await room.append(2...4, to: store)
        #expect(again.map(\.offset) == [2, 3, 4])
        #expect(again.map(\.isDuplicate) == [true, true, false])
        try #expect(await room.read(of: store).messages.map(\.id.value) == ["1", "2", "3", "4"])
        await store.close()
    }

    /// No client repeats it: the hub finds it in the store.
    @Test(arguments: [RoomName.lobby, .direct(.alice, .bob)])
    func messageStoredWithoutAnswerIsDelivered(_ room: RoomName) async throws {
        let fixture = try await PostgresFixture()
        let proxy = try FaultyProxy(to: fixture.server.port)
        defer { proxy.end() }
        let store = try PostgresMessageStore(url: fixture.url(through: proxy), options: Reports().options())
        try await waitUntil("ready") { store.isReady }
        let hub = Hub(context: SessionContext(limiter: RateLimiter(.unlimited)), store: store)
        let alice = try await hub.connect(Credentials(user: .alice))
        let bob = try await hub.connect(Credentials(user: .bob))
        for client in [alice, bob] { try await client.join(room) }
        proxy.mode = .loseAnswerOfCommit
        await #expect(throws: HubClient.Failure.self) { try await alice.send("hi", to: room) }
        #expect(await bob.nextMessage()?.text == "hi")
        try await alice.send("ho", to: room)
        #expect(await bob.nextMessage()?.text == "ho", "and nobody had to start over")
        for client in [alice, bob] { client.close() }
        await store.close()
    }

    @Test func stalledNetworkFailsRequestsUntilItRecovers() async throws {
        let fixture = try await PostgresFixture()
        let proxy = try FaultyProxy(to: fixture.server.port)
        defer { proxy.end() }
        let reports = Reports()
        let options = reports.options {
            $0.deadline = 4_000
            $0.connectTimeout = 2_000
        }
        let store = try PostgresMessageStore(url: fixture.url(through: proxy), options: options)
        let room = DurableStoreFixture { _ in store }
        try await waitUntil("ready") { store.isReady }
        proxy.mode = .freeze
        // The test is that both are answered at all, because the server never answers.
        let appended = await room.append(1...1, to: store)
        // Whether the server has it depends on how far the batch got before the network stopped.
        guard appended.count == 1, case .failed(let error)? = appended.first else {
            Issue.record("expected one failed append, got \(appended)")
            return
        }
        #expect(error.message == "PostgreSQL: the server did not answer in time.")
        let request = HistoryRequest(room: room.room, range: .newest, messagesMax: 1, bytesMax: 1)
        let page = await store.read(request)
        #expect(throws: StoreError(.timeout, "PostgreSQL: the server did not answer in time.")) { try page.get() }
        #expect(!store.isReady)
        proxy.mode = .forward
        try await waitUntil("ready again") { store.isReady }
        await store.close()
    }

    @Test func missingServerFailsRequestsAndStoreCloses() async throws {
        let port = try PostgresServer.freePort()
        let reports = Reports()
        let options = reports.options { $0.deadline = 400 }
        let store = try PostgresMessageStore(url: "postgres://u:hush@127.0.0.1:\(port)/d", options: options)
        try await waitUntil("both reports") { reports.all.count == 2 }
        let room = DurableStoreFixture { _ in store }
        let outcome = await room.append(1...2, to: store)
        #expect(outcome.count == 2)
        guard case .failed(let error)? = outcome.first else {
            Issue.record("stored nowhere")
            return
        }
        #expect(error.message.contains("Connection refused"))
        #expect(!store.isReady)
        // Once per connection, not once per attempt.
        #expect(reports.all.count == 2)
        // Requests that wait when the store is closed are answered too.
        let answers = Answers()
        store.append([room.draft(3)]) { answers.add($0) }
        await store.close()
        #expect(answers.all.map(\.offset) == [nil])
    }

    @Test func successfulConnectionWakesOthers() async throws {
        let server = try await PostgresServer.start()
        let fixture = try await PostgresFixture(server)
        let reports = Reports()
        let shared = PostgresServerState()
        // On their own they would retry in an hour.
        let options = reports.options {
            $0.reconnectAfter = 7_200_000...7_200_000
            $0.server = shared
        }
        let store = try PostgresMessageStore(url: fixture.url, options: options)
        try await waitUntil("ready") { store.isReady }
        try await server.crash()
        try await waitUntil("both are lost") { reports.all.count { $0.hasPrefix("lost") } == 2 }
        #expect(!store.isReady)
        let catalog = try PostgresFileCatalog(url: fixture.url, options: reports.options { $0.server = shared })
        try await waitUntil("ready again") { catalog.isReady && store.isReady }
        await catalog.close()
        await store.close()
    }

    @Test func otherHubsOnSameTablesCauseWarning() async throws {
        let fixture = try await PostgresFixture()
        let (first, second) = (Reports(), Reports())
        let one = try PostgresMessageStore(url: fixture.url, options: first.options())
        try await waitUntil("ready") { one.isReady }
        #expect(!first.all.contains { $0.contains("another hub") })
        let two = try PostgresMessageStore(url: fixture.url, options: second.options())
        try await waitUntil("the warning") { second.all.contains { $0.contains("another hub uses this database") } }
        await two.close()
        await one.close()
    }

    /// They ask for each other's messages, and a hub that isn't in the cluster doesn't.
    @Test func hubsInTheClusterWarnOnlyOfOthers() async throws {
        let fixture = try await PostgresFixture()
        let reports = (0..<4).map { _ in Reports() }
        var stores: [PostgresMessageStore] = []
        func open(_ index: Int, isClustered: Bool) throws -> PostgresMessageStore {
            let store = try PostgresMessageStore(
                url: fixture.url, options: reports[index].options { $0.isClustered = isClustered })
            stores.append(store)
            return store
        }
        for index in 0..<2 {
            let store = try open(index, isClustered: true)
            let room = DurableStoreFixture { _ in store }
            // The connection has looked for others by the second answer.
            for id in 1...2 { _ = await room.append(id...id, to: store) }
            #expect(reports[index].all.allSatisfy { $0.hasPrefix("connected") }, "\(reports[index].all)")
        }
        _ = try open(2, isClustered: false)
        try await waitUntil("the warning") {
            reports[2].all.contains { $0.contains("2 other hubs use this database, and cluster.enabled is off here") }
        }
        _ = try open(3, isClustered: true)
        try await waitUntil("the warning") {
            reports[3].all.contains { $0.contains("another hub uses this database without cluster.enabled") }
        }
        for store in stores { await store.close() }
    }

    @Test func otherHubsWarningRepeatsEveryHalfHour() {
        var warnings: [String] = []
        let hubs = PostgresOtherHubs { warnings.append($0) }
        hubs.found(0)
        #expect(warnings.isEmpty)
        for _ in 0..<30 { hubs.found(1) }
        #expect(warnings.count == 1)
        hubs.found(1)
        #expect(warnings.count == 2)
        hubs.found(2)
        #expect(warnings.count == 3)
        #expect(warnings.last?.contains("2 other hubs use") == true)
        hubs.found(0)
        hubs.found(1)
        #expect(warnings.count == 4)
    }

    @Test func secretsAreRedacted() throws {
        let string = try PostgresConnectionString("postgres://u:h%20ush@h/d?sslpassword=quiet")
        #expect(string.redact("no\nh ush, quiet") == "no <redacted>, <redacted>")
        #expect(try PostgresConnectionString("host=h user=u").redact("as it is") == "as it is")
        #expect(PostgresConnectionString.holdsSecret("postgres://u@h/d?sslpassword=quiet"))
        #expect(!PostgresConnectionString.holdsSecret("postgres://u@h/d"))
    }
}
