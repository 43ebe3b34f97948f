import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

struct PostgresMessageStoreTests {
    private let fixture: PostgresFixture

    init() async throws {
        fixture = try await PostgresFixture()
    }

    @Test(arguments: MessageStoreContract.checks)
    func keepsTheContract(_ check: MessageStoreContract) async throws {
        let store = try PostgresMessageStore(url: fixture.url, options: .patient)
        await check.run(on: store)
        await store.close()
    }

    @Test(arguments: MessageStoreContract.fileChecks)
    func keepsTheContractOfFiles(_ check: MessageStoreContract) async throws {
        let store = try PostgresMessageStore(url: fixture.url, options: .patient)
        let catalog = try PostgresFileCatalog(url: fixture.url, options: .patient)
        await check.run(on: store, files: CatalogFiles(catalog))
        await catalog.close()
        await store.close()
    }

    @Test(arguments: DurableStoreContract.fileChecks)
    func keepsTheContractOfFilesOverTime(_ check: DurableStoreContract) async throws {
        let catalog = try PostgresFileCatalog(url: fixture.url, options: .patient)
        try await check.run(
            { [fixture] in try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0) },
            catalog: { _ in catalog })
        await catalog.close()
    }

    @Test(arguments: DurableStoreContract.checks)
    func keepsTheContractOverTime(_ check: DurableStoreContract) async throws {
        try await check.run { [fixture] in
            try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0)
        }
    }

    @Test func commandsRespectBanAndMute() async throws {
        let store = try PostgresMessageStore(url: fixture.url, options: .patient)
        try await ModeratedUserWalk(store).run()
        await store.close()
    }

    @Test func isReadyWhenBothConnectionsAre() async throws {
        let reports = Reports()
        let store = try PostgresMessageStore(url: fixture.url, options: reports.options())
        try await waitUntil("ready") { store.isReady }
        await store.close()
        #expect(!store.isReady)
        #expect(reports.all.filter { $0.hasPrefix("connected") }.count == 2)
        #expect(reports.all.count == 2)
    }

    @Test func unstorableTextFailsAlone() async throws {
        let room = DurableStoreFixture { [fixture] in
            try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0)
        }
        try await room.withStore { store in
            let bad = room.draft(2, text: "a\0b")
            let worse = room.draft(3, from: Member(user: .alice, name: "\0"))
            let outcomes = await store.append([room.draft(1), bad, worse, room.draft(4)])
            #expect(outcomes.map(\.offset) == [1, nil, nil, 2])
            #expect(outcomes[1] == .failed(StoreError(.invalid, "PostgreSQL cannot store U+0000.", mayBeStored: false)))
            #expect(await store.append([bad]).map(\.offset) == [nil])
        }
    }

    // MARK: Sweeping

    @Test func onlyExpiredCommandsAreRemoved() async throws {
        let room = DurableStoreFixture { [fixture] in
            try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0)
        }
        try await room.withStore { store in
            // Old and new messages alternate, and both are more than a step of the sweep examines.
            for (part, isOld) in [true, false, true, false].enumerated() {
                if part == 2 { room.time.advance(by: 1) }
                let ids = (1...5_000).filter { $0 % 2 == part / 2 }
                _ = await store.append(ids.filter { ($0 % 3 == 0) == isOld }.map { room.draft($0) })
            }
            room.time.advance(by: Milliseconds(DurableStoreContract.day.value - 1))
            try await store.sweep()
        }
        let left = try fixture.server.execute(
            "SELECT format('%s %s', count(*), sum(id::bigint % 2)) FROM gohub_command", schema: fixture.schema)
        #expect(left == "2500 2500")
    }

    /// Otherwise each step would read the whole table.
    @Test func sweepStepReadsOnlyItsPages() async throws {
        let store = try PostgresMessageStore(url: fixture.url, options: .patient)
        try await waitUntil("ready") { store.isReady }
        await store.close()
        // A table of a few pages may be scanned.
        try fixture.server.execute(
            "INSERT INTO gohub_command SELECT 1, 'alice', number, number, 0, 0 FROM generate_series(1, 20000) AS number",
            schema: fixture.schema)
        let statement = PostgresStatements.sweeping.compactMap { command in
            if case .prepare("forget", let sql, _) = command { sql } else { nil }
        }
        try #require(statement.count == 1)
        let plan = try fixture.server.execute(
            "PREPARE forget (bigint, bigint, bigint) AS \(statement[0]); EXPLAIN (FORMAT JSON) EXECUTE forget (1, 2, 3)",
            schema: fixture.schema)
        #expect(plan.contains("Tid Range Scan"), "\(plan)")
        #expect(!plan.contains("Seq Scan"), "\(plan)")
    }

    // MARK: Several nodes

    @Test func concurrentStartsCreateTablesOnce() async throws {
        let reports = Reports()
        let stores = try (0..<6).map { _ in try PostgresMessageStore(url: fixture.url, options: reports.options()) }
        for store in stores { try await waitUntil("ready") { store.isReady } }
        let versions = try fixture.server.execute("SELECT count(*) FROM gohub_schema", schema: fixture.schema)
        #expect(versions == "\(PostgresSchema.version)")
        let room = DurableStoreFixture { _ in stores[0] }
        let epochs = try await stores.asyncMap { try await room.read(of: $0).head.epoch }
        #expect(Set(epochs).count == 1)
        for store in stores { await store.close() }
        let others = reports.all.filter { !$0.hasPrefix("connected") }
        #expect(
            others.allSatisfy { $0.contains("use this database") || $0.contains("uses this database") }, "\(others)")
    }

    @Test func concurrentNodesAssignGaplessOffsets() async throws {
        let nodes = try (0..<3).map { _ in try PostgresMessageStore(url: fixture.url, options: .patient) }
        let room = DurableStoreFixture { _ in nodes[0] }
        let outcomes = await withTaskGroup(of: [(Int, AppendOutcome)].self) { group in
            for (node, store) in nodes.enumerated() {
                group.addTask {
                    var outcomes: [(Int, AppendOutcome)] = []
                    for round in 0..<30 {
                        // Two rooms of its own, and one that all nodes get.
                        let ids = [1000 * (node + 1) + round, 10_000 * (node + 1) + round, round]
                        outcomes += zip(ids, await store.append(ids.map { room.draft($0) }))
                    }
                    return outcomes
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        let total = 3 * 60 + 30
        #expect(outcomes.count == 3 * 90)
        #expect(outcomes.filter { !$0.1.isDuplicate }.compactMap(\.1.offset).sorted() == (1...UInt64(total)).map { $0 })
        let page = try await room.read(.after(0), of: nodes[1])
        #expect(page.messages.map(\.offset) == (1...UInt64(total)).map { $0 })
        let kept = Dictionary(uniqueKeysWithValues: page.messages.map { ($0.id.value, $0.offset) })
        for (id, outcome) in outcomes { #expect(kept["\(id)"] == outcome.offset) }
        for node in nodes { await node.close() }
    }

    @Test func concurrentNodesDoNotDeadlock() async throws {
        let nodes = try (0..<3).map { _ in try PostgresMessageStore(url: fixture.url, options: .patient) }
        let room = DurableStoreFixture { _ in nodes[0] }
        let rooms = (0..<12).map { RoomID(tenant: room.room.tenant, name: .named("r\($0)")) }
        let outcomes = await withTaskGroup(of: [AppendOutcome].self) { group in
            for (node, store) in nodes.enumerated() {
                group.addTask {
                    var outcomes: [AppendOutcome] = []
                    for round in 0..<20 {
                        // Some are new in each round, in an order specific to the node.
                        let some = rooms.prefix(2 + round).shuffled()
                        outcomes += await store.append(some.map { room.draft(100 * node + round, in: $0) })
                    }
                    return outcomes
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(outcomes.allSatisfy { $0.offset != nil })
        for (index, id) in rooms.enumerated() {
            let request = HistoryRequest(room: id, range: .after(0), messagesMax: 1000, bytesMax: 1_000_000)
            let offsets = try await nodes[2].read(request).get().messages.map(\.offset)
            // In every round of each node after the room count is reached.
            #expect(offsets == (1...UInt64(3 * (20 - max(0, index - 1)))).map { $0 })
        }
        for node in nodes { await node.close() }
    }

    // MARK: Requirements on the database

    /// The first report, and the error of an append.
    private func refusal(_ url: String) async throws -> (report: String, error: String) {
        let reports = Reports()
        let options = reports.options { options in
            options.deadline = 8_000
            // Waiting requests fail with the reason of the one attempt, not with the notice that another is in
            // progress.
            options.reconnectAfter = .seconds(60) ... .seconds(60)
        }
        let store = try PostgresMessageStore(url: url, options: options)
        try await waitUntil("a report") { !reports.all.isEmpty }
        let room = DurableStoreFixture { _ in store }
        let outcome = await room.append(1...1, to: store)
        #expect(!store.isReady)
        await store.close()
        guard case .failed(let error)? = outcome.first else { return (reports.all[0], "stored") }
        return (reports.all[0], error.message)
    }

    /// What the migrations after a version have added.
    static let dropDirectNews = "DROP TABLE gohub_direct_news;"
    static let dropRegistry = """
        \(dropDirectNews) DROP TABLE gohub_node;
        ALTER TABLE gohub_database DROP COLUMN timeline, DROP COLUMN placement_key;
        ALTER TABLE gohub_schema DROP COLUMN readable_from;
        """
    private static let dropFollowing = """
        \(dropRegistry) DROP TABLE gohub_sanction;
        ALTER TABLE gohub_receipt DROP COLUMN is_followed, DROP COLUMN followed_at;
        """

    @Test func migrationToFollowingKeepsAll() async throws {
        let room = DurableStoreFixture { [fixture] in
            try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0)
        }
        let before = try await room.withStore { try await room.fillForMigration($0) }
        try fixture.server.execute(
            "\(Self.dropFollowing) DELETE FROM gohub_schema WHERE version > 6", schema: fixture.schema)
        try await room.withStore { try await room.checkMigratedToFollowing($0, before) }
    }

    @Test func expiredSanctionsAreRemoved() async throws {
        let room = DurableStoreFixture { [fixture] in
            try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0)
        }
        try await room.withStore { store in
            try await room.sanction([.bob: .ban(60_000), .carol: .mute(60_000)], in: store)
            // By the server's clock, not the hub's.
            room.time.advance(by: .seconds(3600))
            try #expect(await room.sanctions(in: store).map(\.user) == [.bob, .carol])
            try fixture.server.execute(
                "UPDATE gohub_sanction SET until = until - 60000 WHERE target = 'bob'", schema: fixture.schema)
            try #expect(await room.sanctions(in: store).map(\.user) == [.carol])
            try await store.sweep()
        }
        let left = try fixture.server.execute(
            "SELECT string_agg(target, ' ') FROM gohub_sanction", schema: fixture.schema)
        #expect(left == "carol")
    }

    @Test func migrationToMessageFilesKeepsAll() async throws {
        let catalog = try PostgresFileCatalog(url: fixture.url, options: .patient)
        let room = DurableStoreFixture(
            open: { [fixture] in try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0) },
            catalog: { _ in catalog })
        let before = try await room.withStore { try await room.fillForMigration($0) }
        try fixture.server.execute(
            """
            ALTER TABLE gohub_message DROP COLUMN files; \(Self.dropFollowing)
            DELETE FROM gohub_schema WHERE version > 5
            """, schema: fixture.schema)
        try await room.withStore { try await room.checkMigratedToFiles($0, before) }
        await catalog.close()
    }

    @Test func firstVersionIsMigrated() async throws {
        let room = DurableStoreFixture { [fixture] in
            try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0)
        }
        let head = try await room.withStore { store in
            _ = await room.append(1...3, to: store)
            return try await room.read(of: store).head
        }
        // All columns and tables of later versions.
        try fixture.server.execute(
            """
            \(Self.dropRegistry) DROP TABLE gohub_receipt, gohub_fact, gohub_reaction, gohub_sanction;
            DROP TABLE gohub_upload, gohub_file, gohub_message_file, gohub_blob, gohub_file_usage;
            ALTER TABLE gohub_message DROP COLUMN amendments, DROP COLUMN files;
            DROP FUNCTION gohub_append_new;
            DELETE FROM gohub_schema WHERE version > 1
            """, schema: fixture.schema)
        try await room.withStore { store in
            try #expect(await room.read(of: store).head == head)
            let note = ReceiptNote(room: room.room, epoch: head.epoch, user: .bob, Receipt(seen: 2))
            try await store.store([note]).get()
        }
        let version = try fixture.server.execute("SELECT max(version) FROM gohub_schema", schema: fixture.schema)
        #expect(version == "\(PostgresSchema.version)")
    }

    @Test func secondVersionMigrationKeepsAll() async throws {
        let room = DurableStoreFixture { [fixture] in
            try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0)
        }
        let before = try await room.withStore { try await room.fillForMigration($0) }
        try fixture.server.execute(
            """
            DROP TABLE gohub_fact, gohub_reaction;
            DROP TABLE gohub_upload, gohub_file, gohub_message_file, gohub_blob, gohub_file_usage;
            ALTER TABLE gohub_message DROP COLUMN amendments, DROP COLUMN files;
            \(Self.dropFollowing)
            DROP FUNCTION gohub_append_new; DELETE FROM gohub_schema WHERE version > 2
            """, schema: fixture.schema)
        try await room.withStore { try await room.checkMigrated($0, before) }
    }

    @Test func newerSchemaIsRefused() async throws {
        let store = try PostgresMessageStore(url: fixture.url, options: .patient)
        try await waitUntil("ready") { store.isReady }
        await store.close()
        try fixture.server.execute("INSERT INTO gohub_schema VALUES (99)", schema: fixture.schema)
        let (report, error) = try await refusal(fixture.url)
        #expect(report.contains("was written by a newer version of GoHub: its schema is 99"))
        #expect(error.contains("newer version"))
    }

    @Test func otherEncodingIsRefused() async throws {
        let name = "ascii\(UInt32.random(in: .min ... .max))"
        try fixture.server.execute(
            "CREATE DATABASE \(name) ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
        let (report, _) = try await refusal(fixture.url.replacing("/postgres?", with: "/\(name)?"))
        #expect(report.contains("the database's encoding is not UTF8"))
    }

    @Test func synchronousCommitIsEnforced() async throws {
        let store = try PostgresMessageStore(url: fixture.url, options: .patient)
        try await waitUntil("ready") { store.isReady }
        await store.close()
        // Each message contains the setting that it was committed with.
        try fixture.server.execute(
            """
            CREATE TABLE seen (setting text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN INSERT INTO seen SELECT current_setting('synchronous_commit'); RETURN NEW; END$$;
            CREATE TRIGGER note AFTER INSERT ON gohub_message FOR EACH ROW EXECUTE FUNCTION note()
            """, schema: fixture.schema)
        let settings = ["off": "on", "local": "local", "on": "on"]
        for (setting, expected) in settings {
            let url = fixture.url + "%20-csynchronous_commit%3D\(setting)"
            let careless = try PostgresMessageStore(url: url, options: .patient)
            let room = DurableStoreFixture { _ in careless }
            #expect(await room.append(1...1, to: careless).map(\.offset) == [1])
            await careless.close()
            #expect(try fixture.server.execute("SELECT setting FROM seen", schema: fixture.schema) == expected)
            try fixture.server.execute("TRUNCATE seen", schema: fixture.schema)
        }
    }

    @Test func readOnlyServerIsSkipped() async throws {
        let first = try PostgresMessageStore(url: fixture.url, options: .patient)
        try await waitUntil("ready") { first.isReady }
        await first.close()
        let reports = Reports()
        let url = fixture.url + "%20-cdefault_transaction_read_only%3Don"
        let store = try PostgresMessageStore(url: url, options: reports.options())
        let room = DurableStoreFixture { _ in store }
        let outcome = await room.append(1...1, to: store)
        #expect(outcome.map(\.offset) == [nil])
        try await waitUntil("connected anew") {
            reports.all.drop { !$0.hasPrefix("lost") }.contains { $0.hasPrefix("connected") }
        }
        #expect(reports.all.contains { $0.contains("read-only transaction (25006)") })
        await store.close()
    }

    // MARK: TLS

    private func tls(_ options: String) -> String { fixture.url.replacing("sslmode=disable", with: options) }

    @Test func tlsOptionsOfURLAreKept() async throws {
        let url = tls("sslmode=verify-full&sslrootcert=\(fixture.server.certificates.caPath)")
        let store = try PostgresMessageStore(url: url + "&application_name=\(fixture.schema)", options: .patient)
        let room = DurableStoreFixture { _ in store }
        // A batch and a page that take many TLS records.
        let drafts = (1...500).map { room.draft($0, text: String(repeating: "x", count: 2_000)) }
        #expect(await store.append(drafts).last?.offset == 500)
        try #expect(await room.read(of: store).messages.map(\.text) == drafts.map(\.text))
        let encrypted = try fixture.server.execute(
            """
            SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
            WHERE ssl AND application_name = '\(fixture.schema)'
            """)
        #expect(encrypted == "2")
        await store.close()
    }

    @Test func wrongServerCertificateIsRefused() async throws {
        let others = try TestCertificates(authorityName: "others")
        let (report, _) = try await refusal(tls("sslmode=verify-full&sslrootcert=\(others.caPath)"))
        #expect(report.contains("certificate verify failed"))
    }

    // MARK: Secrets

    @Test func passwordIsNeverDisclosed() async throws {
        try fixture.server.execute(
            "DO $$BEGIN CREATE ROLE locked LOGIN PASSWORD 'another'; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
        let (report, error) = try await refusal(fixture.server.url(user: "locked", password: "hush-hush"))
        #expect(report.contains("password authentication failed"))
        for text in [report, error] { #expect(!text.contains("hush")) }
    }

    @Test(arguments: [
        "postgres://u:hu%sh@h/d", "postgres://u:hush@h/d?hush=1", "host=h pass word=hush", "postgres://u:hush@[h/d",
        "postgres://u:hush@h:port/d?x",
    ]) func aURLThatIsNoneIsRefusedWithoutRepeatingIt(_ url: String) {
        let error = #expect(throws: StoreError.self) { _ = try PostgresMessageStore(url: url) }
        #expect(error?.message.hasPrefix("libpq cannot parse the PostgreSQL URL") == true)
        #expect(error?.message.contains("hush") == false)
    }
}

extension Sequence where Element: Sendable {
    func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}
