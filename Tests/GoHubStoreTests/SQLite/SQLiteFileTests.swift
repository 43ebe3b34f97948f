import CGoHubSQLite
import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// Unusable files are refused with an error message, and are not changed.
struct SQLiteFileTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("hub.sqlite") }

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func refusal(_ path: String) -> String {
        do throws(StoreError) {
            _ = try SQLiteMessageStore(path: path)
            return "opened"
        } catch {
            return error.message
        }
    }

    /// Runs SQL on a file, as the sqlite3 shell would.
    private func execute(_ sql: String, on path: String) throws {
        var handle: OpaquePointer?
        defer { sqlite3_close(handle) }
        guard sqlite3_open(path, &handle) == SQLITE_OK, sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else {
            throw TemporaryDirectory.Failure(what: sql)
        }
    }

    @Test func impossiblePathIsNamed() throws {
        let missing = directory.file("missing/hub.sqlite")
        #expect(
            refusal(missing) == "\(missing) cannot be opened: its parent directory does not exist. Create it first.")
        #expect(refusal(directory.path) == "\(directory.path) is not a regular file.")
        #expect(refusal(directory.path + "/") == "\(directory.path)/ is not a regular file.")
        try directory.write("file", [])
        let below = directory.file("file/hub.sqlite")
        #expect(refusal(below) == "\(below) cannot be opened: part of the path is not a directory.")
        #expect(refusal("/proc/hub.sqlite").hasPrefix("/proc/hub.sqlite cannot be opened: "))
    }

    @Test func fileInUseIsRefusedUntilClosed() async throws {
        let first = try SQLiteMessageStore(path: path)
        #expect(refusal(path) == "\(path) is in use by another hub. Stop that hub, or use another file.")
        // By another name too.
        let link = directory.file("link")
        #expect(symlink("hub.sqlite", link) == 0)
        #expect(refusal(link) == "\(link) is in use by another hub. Stop that hub, or use another file.")
        // The attempts have not disturbed the hub that holds it.
        let fixture = DurableStoreFixture { _ in first }
        #expect(await fixture.append(1...2, to: first).map(\.offset) == [1, 2])
        await first.close()
        let second = try SQLiteMessageStore(path: link)
        try #expect(await fixture.read(of: second).messages.count == 2)
        await second.close()
    }

    @Test func nonDatabaseFileIsRefusedAndKept() throws {
        let bytes = Array("This is somebody's letter, and not a database at all. ".utf8) * 100
        try directory.write("hub.sqlite", bytes)
        #expect(refusal(path).hasPrefix("\(path) is damaged or not an SQLite database. "))
        #expect(try TemporaryDirectory.contents(path) == bytes)
    }

    @Test func foreignDatabaseIsRefusedAndKept() throws {
        try execute("CREATE TABLE song (title TEXT)", on: path)
        let bytes = try TemporaryDirectory.contents(path)
        #expect(refusal(path) == "\(path) is a database of another program. Use another file.")
        #expect(try TemporaryDirectory.contents(path) == bytes)
        try execute("PRAGMA application_id = 7; PRAGMA user_version = 3", on: path)
        #expect(refusal(path) == "\(path) is a database of another program. Use another file.")
    }

    /// A kill doesn't show whether writes waited for the disk, so the settings are checked.
    @Test func everyCommitWaitsForTheDisk() throws {
        let connection = try SQLiteMessageStore.open(SQLiteFile(path: path), .init())
        #expect(try connection.text("PRAGMA journal_mode") == "wal")
        #expect(try connection.integer("PRAGMA synchronous") == 2)
    }

    @Test func newerSchemaIsRefused() async throws {
        await (try SQLiteMessageStore(path: path)).close()
        try execute("PRAGMA user_version = 99", on: path)
        #expect(
            refusal(path)
                == "\(path) was written by a newer version of GoHub (its schema is 99, and this version supports "
                + "schemas up to \(SQLiteSchema.version)). Use that version.")
    }

    @Test func damagedFileFailsWithASentence() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        try await fixture.withStore { _ = await fixture.append(1...8_000, to: $0) }
        var bytes = try TemporaryDirectory.contents(path)
        #expect(bytes.count > 80 * 4096)
        // All but the first pages, which hold the schema.
        for index in 40 * 4096..<bytes.count { bytes[index] = 0xA5 }
        try directory.write("hub.sqlite", bytes)
        let (appended, page) = try await fixture.withStore { store in
            let request = HistoryRequest(room: fixture.room, range: .newest, messagesMax: 10_000, bytesMax: 1_000_000)
            return (await fixture.append(9_000...9_100, to: store), await store.read(request))
        }
        guard case .failed(let error)? = appended.first else {
            Issue.record("stored in a damaged file")
            return
        }
        #expect(error.message.hasPrefix("\(path) is damaged"))
        #expect(throws: StoreError.self) { try page.get() }
    }

    @Test func foreignLockFailsAppendsUntilReleased() async throws {
        let fixture = DurableStoreFixture { [path] in try SQLiteMessageStore(path: path, settings: $0) }
        try await fixture.withStore { store in
            _ = await fixture.append(1...1, to: store)
            var handle: OpaquePointer?
            #expect(sqlite3_open(path, &handle) == SQLITE_OK)
            #expect(sqlite3_exec(handle, "BEGIN IMMEDIATE", nil, nil, nil) == SQLITE_OK)
            let refused = await fixture.append(2...2, to: store)
            guard case .failed(let error)? = refused.first else {
                Issue.record("stored under another's lock")
                return
            }
            #expect(error.message.contains("is locked by another program"))
            // Reading goes on.
            try #expect(await fixture.read(of: store).messages.count == 1)
            #expect(sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) == SQLITE_OK)
            sqlite3_close(handle)
            #expect(await fixture.append(2...2, to: store).map(\.offset) == [2])
        }
    }
}

private func * (bytes: [UInt8], count: Int) -> [UInt8] {
    Array(repeatElement(bytes, count: count).joined())
}
