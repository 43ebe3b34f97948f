import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// The state after a kill at each step, and how the next run repairs it.
struct DiskFileStoreCrashTests {
    private let bytes = FileStoreFixture.noise(300_000)

    private func finishes(
        _ fixture: FileStoreFixture, _ id: FileID, from offset: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let (upload, lease) = try await fixture.resume(id)
        #expect(upload.offset == UInt64(offset), sourceLocation: sourceLocation)
        if offset < bytes.count { try await fixture.write(Array(bytes[offset...]), at: offset, lease) }
        let file = try await fixture.finish(lease)
        #expect(file.hash == FileStoreFixture.hash(bytes), sourceLocation: sourceLocation)
        #expect(try await fixture.contents(id, pieces: 100_000) == bytes, sourceLocation: sourceLocation)
        #expect(fixture.names(in: "uploads").isEmpty, sourceLocation: sourceLocation)
        #expect(fixture.names(in: "blobs").count == 1, sourceLocation: sourceLocation)
        try await fixture.delete(id)
        await fixture.store.tidy()
        #expect(fixture.names(in: "").isEmpty, sourceLocation: sourceLocation)
    }

    @Test func beforeItsFirstByte() async throws {
        let fixture = try FileStoreFixture()
        let request = fixture.request(size: bytes.count)
        // Recorded but not created.
        let id = FileID.random()
        _ = try await fixture.ask {
            fixture.catalog.begin(request, id: id, quotas: FileQuotas(), now: fixture.time.wall, completion: $0)
        }
        try await finishes(fixture, id, from: 0)
    }

    @Test(arguments: [1, 65_537, 299_999, 300_000])
    func amongItsBytes(_ count: Int) async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(
            fixture.request(size: bytes.count, hash: FileStoreFixture.hash(bytes)))
        try await fixture.write(Array(bytes[..<count]), at: 0, lease)
        // The hash state is lost, and the bytes are read again.
        try await fixture.restart()
        await fixture.refuses(.superseded) { try await fixture.write([1], at: count, lease) }
        try await finishes(fixture, upload.id, from: count)
    }

    @Test func severalTimes() async throws {
        let fixture = try FileStoreFixture()
        let (upload, _) = try await fixture.begin(
            fixture.request(size: bytes.count, hash: FileStoreFixture.hash(bytes)))
        for part in 0..<3 {
            let (again, lease) = try await fixture.resume(upload.id)
            #expect(again.offset == UInt64(part * 100_000 - (part == 0 ? 0 : 50_000)))
            let start = Int(again.offset)
            try await fixture.write(Array(bytes[start..<start + (part == 0 ? 50_000 : 100_000)]), at: start, lease)
            try await fixture.restart()
        }
        try await finishes(fixture, upload.id, from: 250_000)
    }

    @Test func whenItsBlobIsClaimed() async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(fixture.request(size: bytes.count))
        try await fixture.write(bytes, at: 0, lease)
        try await fixture.restart()
        let blob = try await fixture.ask {
            fixture.catalog.claim(FileStoreFixture.hash(bytes), for: upload.id, completion: $0)
        }
        #expect(blob.origin == upload.id)
        try await finishes(fixture, upload.id, from: bytes.count)
    }

    @Test func whenItIsMoved() async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(fixture.request(size: bytes.count))
        try await fixture.write(bytes, at: 0, lease)
        try await fixture.restart()
        let blob = try await fixture.ask {
            fixture.catalog.claim(FileStoreFixture.hash(bytes), for: upload.id, completion: $0)
        }
        try fixture.folder.move(upload.id, to: blob, size: upload.request.size)
        try await finishes(fixture, upload.id, from: bytes.count)
    }

    @Test func whenAllIsDoneButTheAnswer() async throws {
        let fixture = try FileStoreFixture()
        let file = try await fixture.file("c1", bytes)
        try await fixture.restart()
        #expect(try await fixture.state(file.id) == .finished(file))
        let state = try await fixture.ask {
            fixture.store.begin(fixture.request("c1", size: bytes.count), completion: $0)
        }
        #expect(state == .finished(file))
    }

    @Test func remainsOfCancelledUploadAreRemoved() async throws {
        let fixture = try FileStoreFixture()
        let (upload, lease) = try await fixture.begin(fixture.request(size: bytes.count))
        try await fixture.write(bytes, at: 0, lease)
        try await fixture.restart()
        // The file was deleted in the catalog, and then the hub was killed.
        try await fixture.ask { fixture.catalog.cancel(upload.id, completion: $0) }
        await fixture.store.tidy()
        // Not immediately: clocks may differ. The test's clock is long before the disk's.
        #expect(fixture.names(in: "uploads").count == 1)
        fixture.time.advance(by: .seconds(100 * 365 * 24 * 3600))
        await fixture.store.tidy()
        #expect(fixture.names(in: "").isEmpty)
    }

    @Test func unknownBlobIsRemoved() async throws {
        let fixture = try FileStoreFixture()
        let file = try await fixture.file("c1", bytes)
        let known = fixture.names(in: "blobs")
        // The file was deleted in the catalog, and then the hub was killed.
        let orphan = BlobID(hash: FileStoreFixture.hash([7]), origin: .random())
        let digits = orphan.hash.hex.prefix(2)
        let more = orphan.hash.hex.dropFirst(2).prefix(2)
        mkdir(fixture.directory.file("files/blobs/\(digits)"), 0o700)
        mkdir(fixture.directory.file("files/blobs/\(digits)/\(more)"), 0o700)
        try fixture.directory.write("files/blobs/\(digits)/\(more)/\(orphan)", [7])
        // Foreign files stay.
        try fixture.directory.write("files/blobs/\(digits)/\(more)/README", [7])
        #expect(fixture.names(in: "blobs").count == 3)
        for _ in 0..<256 { await fixture.store.tidy() }
        #expect(fixture.names(in: "blobs").count == 2)
        #expect(Set(known).isSubset(of: fixture.names(in: "blobs")))
        #expect(try await fixture.contents(file.id, pieces: 100_000) == bytes)
    }

    @Test func idleUploadExpires() async throws {
        let fixture = try FileStoreFixture { $0.uploadsExpireAfter = .seconds(10) }
        let (upload, lease) = try await fixture.begin(fixture.request(size: bytes.count))
        #expect(upload.expiresAt == .ms(10_000))
        try await fixture.write([bytes[0]], at: 0, lease)
        // The disk's clock is ahead of the test's: new files count as young.
        fixture.time.advance(by: .seconds(60))
        await fixture.store.tidy()
        #expect(try await fixture.resume(upload.id).upload.offset == 1)
        fixture.time.advance(by: .seconds(100 * 365 * 24 * 3600))
        await fixture.store.tidy()
        await fixture.refuses(.notFound) { try await fixture.state(upload.id) }
        #expect(fixture.names(in: "").isEmpty)
    }

    @Test func unusedFilesAreKeptByDefault() async throws {
        for keptFor in [nil, Milliseconds.seconds(10)] {
            let fixture = try FileStoreFixture { $0.unusedKeptFor = keptFor }
            let file = try await fixture.file("c1", bytes)
            fixture.time.advance(by: .seconds(9))
            await fixture.store.tidy()
            #expect(fixture.names(in: "blobs").count == 1)
            fixture.time.advance(by: .seconds(2))
            await fixture.store.tidy()
            #expect(fixture.names(in: "blobs").count == (keptFor == nil ? 1 : 0))
            if keptFor != nil { await fixture.refuses(.notFound) { try await fixture.contents(file.id) } }
        }
    }

    /// A file size limit of the system stands in for a full disk: a write is cut short, and then fails.
    @Test func fullDiskFailsUploadAndKeepsStoredBytes() async throws {
        await #expect(processExitsWith: .success) {
            // Instead of the signal that would kill the process.
            signal(SIGXFSZ, SIG_IGN)
            let fixture = try FileStoreFixture()
            let bytes = FileStoreFixture.noise(300_000)
            let (upload, lease) = try await fixture.begin(fixture.request(size: bytes.count))
            let sizes = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
            var limit = rlimit()
            try #require(getrlimit(sizes, &limit) == 0)
            let unlimited = limit.rlim_cur
            limit.rlim_cur = 200_000
            try #require(setrlimit(sizes, &limit) == 0)
            await fixture.refuses(.unavailable) { try await fixture.write(bytes, at: 0, lease) }
            limit.rlim_cur = unlimited
            try #require(setrlimit(sizes, &limit) == 0)
            let (again, second) = try await fixture.resume(upload.id)
            try #require(again.offset == 200_000)
            try await fixture.write(Array(bytes[200_000...]), at: 200_000, second)
            let file = try await fixture.finish(second)
            try #require(file.hash == FileStoreFixture.hash(bytes))
        }
    }

    @Test func fullDiskIsReportedAsSuch() {
        for code in [ENOSPC, EDQUOT] { #expect(FileError.system("x", code).code == .diskFull) }
        for code in [EMFILE, ENFILE] { #expect(FileError.system("x", code).code == .busy) }
        for code in [EIO, EROFS, ENOENT] { #expect(FileError.system("x", code).code == .unavailable) }
    }

    @Test(arguments: ["/proc/nothing/files", "/dev/null/files"])
    func unusableFolderIsReported(_ path: String) {
        #expect(throws: StoreError.self) { try DiskFileStore(path: path, catalog: InMemoryFileCatalog()) }
    }
}
