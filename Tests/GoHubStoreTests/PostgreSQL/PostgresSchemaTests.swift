import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// Which schemas a version of the hub accepts, and who migrates.
struct PostgresSchemaTests {
    private let fixture: PostgresFixture

    init() async throws {
        fixture = try await PostgresFixture()
    }

    private var room: DurableStoreFixture {
        DurableStoreFixture { [fixture] in
            try PostgresMessageStore(url: fixture.url, options: .patient, settings: $0)
        }
    }

    private func execute(_ sql: String) throws -> String {
        try fixture.server.execute(sql, schema: fixture.schema)
    }

    /// The tables as the version before had them.
    private func takeBack() throws {
        _ = try execute(
            "\(PostgresMessageStoreTests.dropDirectNews) DELETE FROM gohub_schema WHERE version = \(PostgresSchema.version)"
        )
    }

    /// The first report of a store that can't use the database.
    private func report(_ change: @escaping (inout PostgresMessageStore.Options) -> Void = { _ in }) async throws
        -> String
    {
        let reports = Reports()
        let store = try PostgresMessageStore(url: fixture.url, options: reports.options(change))
        try await waitUntil("a report") { !reports.all.isEmpty }
        await store.close()
        return reports.all[0]
    }

    private func migrate() async throws -> SchemaStatus {
        try await PostgresMessageStore.migrate(url: fixture.url, options: .patient)
    }

    private func status() async throws -> SchemaStatus {
        try await PostgresMessageStore.schemaStatus(url: fixture.url, options: .patient)
    }

    // MARK: Newer ones

    @Test func newerSchemaIsUsedWhileItSaysSo() async throws {
        let room = room
        let head = try await room.withStore { store in
            _ = await room.append(1...3, to: store)
            return try await room.read(of: store).head
        }
        _ = try execute("INSERT INTO gohub_schema (version, readable_from) VALUES (99, \(PostgresSchema.version))")
        try await room.withStore { store in
            try #expect(await room.read(of: store).head == head)
            #expect(await room.append(4...4, to: store).map(\.offset) == [4])
        }
        try #expect(await status().verdict == .usable)
        try #expect(await migrate().verdict == .usable)
        try #expect(execute("SELECT count(*) FROM gohub_schema WHERE version > \(PostgresSchema.version)") == "1")
    }

    @Test func newerSchemaForNewerHubsIsRefused() async throws {
        try await room.withStore { _ = await room.append(1...1, to: $0) }
        _ = try execute("INSERT INTO gohub_schema (version, readable_from) VALUES (99, 98)")
        try #expect(
            await report().contains(
                "was written by a newer version of GoHub: its schema is 99, for versions with schema 98 or later, and "
                    + "this version has schema \(PostgresSchema.version)."))
        try #expect(await status().verdict == .tooNew)
        await #expect(throws: StoreError.self) { try await migrate() }
    }

    /// The newest row decides: a schema that was readable may no longer be so after the next migration.
    @Test func newestRowDecides() async throws {
        try await room.withStore { _ = await room.append(1...1, to: $0) }
        _ = try execute(
            "INSERT INTO gohub_schema (version, readable_from) VALUES (98, \(PostgresSchema.version)), (99, 99)")
        try #expect(await status() == SchemaStatus(found: 99, wanted: PostgresSchema.version, readableFrom: 99))
    }

    /// Hubs before the rule wrote no bound, and their tables are for themselves alone.
    @Test func schemaWithoutBoundIsForItselfAlone() async throws {
        try await room.withStore { _ = await room.append(1...1, to: $0) }
        _ = try execute("INSERT INTO gohub_schema (version) VALUES (99)")
        try #expect(await status().readableFrom == 99)
    }

    // MARK: Older ones

    @Test func olderSchemaIsRefusedWhereMigrationIsOff() async throws {
        let room = room
        let head = try await room.withStore { store in
            _ = await room.append(1...3, to: store)
            return try await room.read(of: store).head
        }
        try takeBack()
        let version = PostgresSchema.version
        try #expect(await status() == SchemaStatus(found: version - 1, wanted: version, readableFrom: version - 1))
        try #expect(
            await report { $0.migrates = false }.contains(
                "has schema \(version - 1), and this version needs schema \(version). Run `gohubd migrate`, or set "
                    + "store.migrate to auto."))
        try #expect(execute("SELECT max(version) FROM gohub_schema") == "\(version - 1)")
        // The status before.
        try #expect(await migrate().verdict == .needsMigration)
        try #expect(await status().verdict == .current)
        try await room.withStore { try #expect(await room.read(of: $0).head == head) }
    }

    @Test func emptyDatabaseIsRefusedWhereMigrationIsOff() async throws {
        try #expect(await status() == SchemaStatus(found: 0, wanted: PostgresSchema.version, readableFrom: 0))
        try #expect(await report { $0.migrates = false }.contains("has schema 0"))
        try #expect(await migrate().verdict == .needsMigration)
        let store = try PostgresMessageStore(url: fixture.url, options: Reports().options { $0.migrates = false })
        try await waitUntil("ready") { store.isReady }
        await store.close()
    }

    @Test func migrationToRegistryKeepsAll() async throws {
        let room = room
        let before = try await room.withStore { store in
            _ = await room.append(1...3, to: store)
            try await room.sanction([.bob: .ban(.seconds(3600))], in: store)
            return try await room.read(of: store)
        }
        _ = try execute(
            "\(PostgresMessageStoreTests.dropRegistry) DELETE FROM gohub_schema WHERE version > 7")
        try await room.withStore { store in
            try #expect(await room.read(of: store) == before)
            try #expect(await room.sanctions(in: store).map(\.user) == [.bob])
        }
        let columns =
            "octet_length(placement_key), timeline IS NOT NULL, (SELECT readable_from FROM gohub_schema "
            + "WHERE version = 8)"
        try #expect(execute("SELECT format('%s %s %s', \(columns)) FROM gohub_database") == "16 t 8")
    }

    @Test func unreachableServerIsAnError() async throws {
        let port = try PostgresServer.freePort()
        let error = await #expect(throws: StoreError.self) {
            try await PostgresMessageStore.schemaStatus(url: "postgres://u:hush@127.0.0.1:\(port)/d", options: .patient)
        }
        #expect(error?.message.contains("Connection refused") == true)
        #expect(error?.message.contains("hush") == false)
    }

    // MARK: The rule

    @Test func eachVersionHasABoundThatNeverFalls() {
        let bounds = PostgresMigrations.readableFrom
        #expect(bounds.keys.sorted() == Array(8...PostgresSchema.version))
        for (version, oldest) in bounds {
            #expect((8...version).contains(oldest))
            #expect(oldest >= bounds[version - 1] ?? 0)
        }
    }
}
