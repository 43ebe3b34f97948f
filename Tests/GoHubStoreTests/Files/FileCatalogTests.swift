import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

struct SQLiteFileCatalogTests {
    @Test(arguments: FileCatalogContract.checks)
    func keepsTheContract(_ check: FileCatalogContract) async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteMessageStore(path: directory.file("hub.sqlite"))
        try await check.run(on: store)
        await store.close()
    }

    @Test func fileRecordsSurviveRestart() async throws {
        let directory = try TemporaryDirectory()
        let request = Upload.Request(room: .lobby, owner: .alice, id: .named("c"), name: .fallback, size: 3)
        let id = FileID.random()
        var store = try SQLiteMessageStore(path: directory.file("hub.sqlite"))
        _ = try await begin(request, id, in: store).get()
        await store.close()
        store = try SQLiteMessageStore(path: directory.file("hub.sqlite"))
        let entry = try await begin(request, .random(), in: store).get()
        #expect(entry == .upload(UploadRecord(id: id, request: request, touchedAt: .ms(0))))
        await store.close()
        guard case .failure(let error) = await begin(request, .random(), in: store) else {
            Issue.record("a store that is closed has answered")
            return
        }
        #expect(
            error.code == .unavailable
                && error.underlying as? StoreError == StoreError(.closed, "The store is closed.", mayBeStored: false))
    }

    /// A body that throws midway leaves nothing.
    @Test func transactionIsAtomic() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteMessageStore(path: directory.file("hub.sqlite"))
        let record = UploadRecord(
            id: .random(),
            request: Upload.Request(room: .lobby, owner: .alice, id: .named("c"), name: .fallback, size: 3),
            touchedAt: .ms(0))
        let result: Result<Void, FileError> = await withCheckedContinuation { continuation in
            store.transaction(
                { tables throws(FileError) in
                    try tables.add(record)
                    throw FileError(.conflict, "changed its mind")
                }, completion: { continuation.resume(returning: $0) })
        }
        guard case .failure(let error) = result else {
            Issue.record("was committed")
            return
        }
        #expect(error.code == .conflict)
        guard case .upload(let upload) = try await begin(record.request, .random(), in: store).get() else { return }
        #expect(upload.id != record.id)
        await store.close()
    }

    private func begin(
        _ request: Upload.Request, _ id: FileID, in catalog: any FileCatalog
    ) async -> Result<CatalogEntry, FileError> {
        await withCheckedContinuation { continuation in
            catalog.begin(request, id: id, quotas: FileQuotas(), now: .ms(0)) { continuation.resume(returning: $0) }
        }
    }
}

struct PostgresFileCatalogTests {
    @Test(arguments: FileCatalogContract.checks)
    func keepsTheContract(_ check: FileCatalogContract) async throws {
        let fixture = try await PostgresFixture()
        let catalog = try PostgresFileCatalog(url: fixture.url, options: .patient)
        try await check.run(on: catalog)
        await catalog.close()
    }

    @Test func twoNodesAgree() async throws {
        let fixture = try await PostgresFixture()
        let (one, other) = (
            try PostgresFileCatalog(url: fixture.url, options: .patient),
            try PostgresFileCatalog(url: fixture.url, options: .patient)
        )
        let quotas = FileQuotas(userBytesMax: 10 * FileQuotas.blockBytes)
        // Both in parallel, each with half of the quota: of 40 small uploads, 10 fit.
        let begun = await withTaskGroup(of: Bool.self) { tasks in
            for number in 0..<40 {
                tasks.addTask {
                    let request = Upload.Request(
                        room: .lobby, owner: .alice, id: .named("c\(number)"), name: .fallback, size: 10)
                    var quotas = quotas
                    quotas.userUploadsMax = 100
                    let result: Result<CatalogEntry, FileError> = await withCheckedContinuation { continuation in
                        (number % 2 == 0 ? one : other)
                            .begin(request, id: .random(), quotas: quotas, now: .ms(0)) {
                                continuation.resume(returning: $0)
                            }
                    }
                    if case .success = result { return true }
                    return false
                }
            }
            return await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(begun == 10)
        await one.close()
        await other.close()
    }

    @Test func catalogReconnects() async throws {
        let server = try await PostgresServer.start()
        let fixture = try await PostgresFixture(server)
        let reports = Reports()
        let catalog = try PostgresFileCatalog(url: fixture.url, options: reports.options { $0.deadline = .seconds(20) })
        let request = Upload.Request(room: .lobby, owner: .alice, id: .named("c"), name: .fallback, size: 3)
        func begin() async -> Result<CatalogEntry, FileError> {
            await withCheckedContinuation { continuation in
                catalog.begin(request, id: .random(), quotas: FileQuotas(), now: .ms(0)) {
                    continuation.resume(returning: $0)
                }
            }
        }
        let first = try await begin().get()
        try await server.crash()
        // Failures in between are reported. In the end it is the same upload.
        for _ in 0..<60 {
            guard case .success(let again) = await begin() else { continue }
            #expect(again == first)
            await catalog.close()
            return
        }
        Issue.record("the server was never found again: \(reports.all)")
    }
}
