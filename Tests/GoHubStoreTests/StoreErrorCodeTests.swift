import Glibc
import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubStore

/// The codes that operators and embedders tell failures apart by.
struct StoreErrorCodeTests {
    @Test(
        arguments: [
            ("53100", .full), ("57014", .timeout), ("55P03", .timeout), ("57P01", .unavailable),
            ("08006", .unavailable), ("25006", .unavailable), ("53300", .unavailable), ("", .unavailable),
            ("XX000", .unavailable), ("XX001", .corrupt), ("XX002", .corrupt), ("28P01", .denied), ("42501", .denied),
            ("42P01", .incompatible), ("3D000", .incompatible), ("22021", .invalid), ("23505", .invalid),
            ("40001", .busy), ("40P01", .busy), ("58030", .inputOutput), ("99999", .unavailable),
        ] as [(String, StoreError.Code)])
    func postgresCodesAreMapped(_ sqlState: String, _ code: StoreError.Code) {
        #expect(StoreError.Code(sqlState: sqlState) == code)
    }

    /// Numbers as in SQLite's documentation; the higher bytes are details.
    @Test(
        arguments: [
            (13, .full), (11, .corrupt), (26, .corrupt), (267, .corrupt), (5, .inUse), (6, .inUse), (261, .inUse),
            (8, .denied), (3, .denied), (14, .denied), (23, .denied), (10, .inputOutput), (778, .inputOutput),
            (18, .invalid), (19, .invalid), (2067, .invalid), (1, .incompatible), (17, .incompatible),
            (7, .unavailable), (21, .unavailable),
        ] as [(Int32, StoreError.Code)])
    func sqliteCodesAreMapped(_ resultCode: Int32, _ code: StoreError.Code) {
        #expect(StoreError.Code(sqlite: resultCode) == code)
    }

    @Test(
        arguments: [
            (EACCES, .denied), (EPERM, .denied), (EROFS, .denied), (ENOSPC, .full), (EDQUOT, .full),
            (ENOENT, .incompatible), (ENOTDIR, .incompatible), (EISDIR, .incompatible), (EIO, .inputOutput),
            (EMFILE, .unavailable),
        ] as [(Int32, StoreError.Code)])
    func systemCodesAreMapped(_ systemCode: Int32, _ code: StoreError.Code) {
        #expect(StoreError.Code(systemCode: systemCode) == code)
    }

    private func code(_ body: () throws -> Void) -> StoreError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? StoreError)?.code
        }
    }

    @Test func sqliteStoreReportsCodes() async throws {
        let directory = try TemporaryDirectory()
        func open(_ name: String) -> StoreError.Code? {
            code { _ = try SQLiteMessageStore(path: directory.file(name)) }
        }
        let store = try SQLiteMessageStore(path: directory.file("a.db"))
        #expect(open("a.db") == .inUse)
        await store.close()
        #expect(open("missing/a.db") == .incompatible)
        try directory.write("noise.db", Array(repeating: 7, count: 8192))
        #expect(open("noise.db") == .corrupt)
    }

    @Test func codesAndCertaintyTellErrorsApart() {
        let error = StoreError(.full, "x", underlying: FileError.busy)
        #expect(error == StoreError(.full, "x"))
        #expect(error != StoreError("x"))
        #expect(StoreError("x").code == .unavailable)
        #expect(error.withNothingStored == StoreError(.full, "x", mayBeStored: false))
        #expect(error.withNothingStored.underlying as? FileError == .busy)
        #expect("\(error)" == "x")
        #expect(Set([error, StoreError(.full, "x"), StoreError("x")]).count == 2)
    }

    @Test func codeOfCatalogReachesFileErrorAndLog() async throws {
        let directory = try TemporaryDirectory()
        let catalog = try SQLiteMessageStore(path: directory.file("a.db"))
        let lines = Mutex<[String]>([])
        let fixture = try FileStoreFixture(catalog: catalog) {
            $0.report = { line in lines.withLock { $0.append(line) } }
        }
        await catalog.close()
        let error = await #expect(throws: FileError.self) { try await fixture.begin(fixture.request(size: 3)) }
        #expect(error == .unavailable(StoreError("x")))
        #expect((error?.underlying as? StoreError)?.code == .closed)
        #expect(lines.withLock { $0 } == ["a request failed (closed): The store is closed."])
    }

    @Test(
        arguments: [
            (ENOSPC, .diskFull, .full), (EMFILE, .busy, .unavailable), (EIO, .unavailable, .inputOutput),
        ] as [(Int32, FileError.Code, StoreError.Code)])
    func fileErrorKeepsCodeOfDisk(_ systemCode: Int32, _ code: FileError.Code, _ cause: StoreError.Code) {
        let error = FileError.system("/f cannot be written", systemCode)
        #expect(error.code == code)
        #expect(error.logText.hasPrefix("(\(cause.rawValue)): /f cannot be written: "))
        #expect(StoreError(error).code == cause)
    }

    @Test(arguments: ["/proc/nothing/files", "/dev/null/files"])
    func unusableFolderHasCode(_ path: String) {
        #expect(code { _ = try DiskFileStore(path: path, catalog: InMemoryFileCatalog()) } == .incompatible)
    }
}
