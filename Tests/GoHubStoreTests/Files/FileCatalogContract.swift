import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// What every `FileCatalog` must do, one check at a time; the same for memory, SQLite and PostgreSQL.
///
/// A check works in a tenant of its own, and with content of its own, so that all of them can run at once on one
/// database.
struct FileCatalogContract: Sendable, CustomTestStringConvertible {
    private let name: String
    private let body: @Sendable (FileCatalogBench) async throws -> Void

    var testDescription: String { name }

    func run(on catalog: any FileCatalog) async throws {
        try await body(FileCatalogBench(catalog: catalog))
    }

    private init(_ name: String, _ body: @escaping @Sendable (FileCatalogBench) async throws -> Void) {
        self.name = name
        self.body = body
    }

    static let checks: [FileCatalogContract] = uploads + quotas + files + blobs

    // MARK: Uploads

    private static let uploads = [
        FileCatalogContract("an upload is found by its command, with all that was said of it") { bench in
            let request = bench.request("c1", name: "süß \u{1F600}.png", hash: bench.hash(1))
            let first = try await bench.begin(request)
            #expect(first.request == request)
            #expect(try await bench.begin(request, at: 5).id == first.id)
            // Another owner, room or id is another upload.
            var others: Set<FileID> = [first.id]
            others.insert(try await bench.begin(bench.request("c2")).id)
            others.insert(try await bench.begin(bench.request("c1", owner: .bob)).id)
            others.insert(try await bench.begin(bench.request("c1", room: "other")).id)
            #expect(others.count == 4)
        },
        FileCatalogContract("a command that means another file is refused") { bench in
            let request = bench.request("c1", size: 10)
            _ = try await bench.begin(request)
            await bench.refuses(.conflict) { try await bench.begin(bench.request("c1", size: 11)) }
            await bench.refuses(.conflict) { try await bench.begin(bench.request("c1", size: 10, name: "b")) }
            let file = try await bench.file("c2", size: 10)
            await bench.refuses(.conflict) { try await bench.begin(bench.request("c2", size: 11)) }
            let again = try await bench.entry(bench.request("c2", size: 10))
            #expect(again == .file(file))
        },
        FileCatalogContract("an upload is its owner's alone") { bench in
            let upload = try await bench.begin(bench.request("c1"))
            #expect(try await bench.resume(upload.id, by: .alice) == .upload(upload))
            await bench.refuses(.notFound) { try await bench.resume(upload.id, by: .bob) }
            await bench.refuses(.notFound) { try await bench.cancel(upload.id, by: .bob) }
            let stranger = UserKey(tenant: .named("elsewhere"), user: .alice)
            await bench.refuses(.notFound) {
                try await bench.ask { bench.catalog.resume(upload.id, by: stranger, now: .ms(0), completion: $0) }
            }
            try await bench.cancel(upload.id, by: .alice)
            await bench.refuses(.notFound) { try await bench.resume(upload.id, by: .alice) }
            await bench.refuses(.notFound) { try await bench.cancel(upload.id, by: .alice) }
        },
        FileCatalogContract("uploads that nobody touches are found, the oldest first") { bench in
            let old = try await bench.begin(bench.request("c1"), at: -1_000_001)
            let older = try await bench.begin(bench.request("c2"), at: -1_000_002)
            let touched = try await bench.begin(bench.request("c3"), at: -1_000_003)
            try await bench.ask { bench.catalog.touch(touched.id, at: .ms(-999_999), completion: $0) }
            let found = try await bench.ask {
                bench.catalog.uploads(untouchedSince: .ms(-1_000_000), max: 1000, completion: $0)
            }
            let ids = found.map(\.id).filter { [old.id, older.id, touched.id].contains($0) }
            #expect(ids == [older.id, old.id])
            await bench.refuses(.notFound) {
                try await bench.ask {
                    bench.catalog.cancel(touched.id, untouchedSince: .ms(-1_000_000), completion: $0)
                }
            }
            try await bench.ask { bench.catalog.cancel(old.id, untouchedSince: .ms(-1_000_000), completion: $0) }
            let unknown = try await bench.ask {
                bench.catalog.unknownUploads(among: [old.id, older.id, touched.id], completion: $0)
            }
            #expect(unknown == [old.id])
            // So that other checks don't find it.
            try await bench.cancel(older.id, by: .alice)
        },
    ]

    // MARK: Quotas

    private static let quotas = [
        FileCatalogContract("a file that is too large is refused, one of just the size isn't") { bench in
            let quotas = FileQuotas(fileBytesMax: 100_000)
            _ = try await bench.begin(bench.request("c1", size: 100_000), quotas: quotas)
            await bench.refuses(.tooLarge) { try await bench.begin(bench.request("c2", size: 101_000), quotas: quotas) }
            await bench.refuses(.tooLarge) {
                try await bench.begin(bench.request("c3", size: .max), quotas: FileQuotas(fileBytesMax: .max))
            }
        },
        FileCatalogContract("what a user has counts, and comes back when it goes") { bench in
            let quotas = FileQuotas(userBytesMax: 100_000)
            let upload = try await bench.begin(bench.request("c1", size: 60_000), quotas: quotas)
            await bench.refuses(.userQuota) { try await bench.begin(bench.request("c2", size: 41_000), quotas: quotas) }
            // A repeat takes nothing more.
            _ = try await bench.begin(bench.request("c1", size: 60_000), quotas: quotas)
            let file = try await bench.finish(upload, bench.hash(1))
            await bench.refuses(.userQuota) { try await bench.begin(bench.request("c2", size: 41_000), quotas: quotas) }
            let other = try await bench.begin(bench.request("c3", size: 40_000), quotas: quotas)
            try await bench.cancel(other.id, by: .alice)
            try await bench.delete(file.file.id)
            _ = try await bench.begin(bench.request("c4", size: 100_000), quotas: quotas)
            // Others have their own.
            _ = try await bench.begin(bench.request("c4", size: 100_000, owner: .bob), quotas: quotas)
        },
        FileCatalogContract("what a tenant has counts over its users") { bench in
            let quotas = FileQuotas(tenantBytesMax: 100_000)
            _ = try await bench.begin(bench.request("c1", size: 60_000), quotas: quotas)
            await bench.refuses(.tenantQuota) {
                try await bench.begin(bench.request("c1", size: 41_000, owner: .bob), quotas: quotas)
            }
            _ = try await bench.begin(bench.request("c1", size: 40_000, owner: .bob), quotas: quotas)
        },
        FileCatalogContract("the smallest file counts as a block") { bench in
            let quotas = FileQuotas(userBytesMax: 2 * FileQuotas.blockBytes)
            let first = try await bench.begin(bench.request("c1", size: 0), quotas: quotas)
            let file = try await bench.finish(first, bench.hash(1))
            let second = try await bench.begin(bench.request("c2", size: 1), quotas: quotas)
            await bench.refuses(.userQuota) { try await bench.begin(bench.request("c3", size: 0), quotas: quotas) }
            try await bench.cancel(second.id, by: .alice)
            try await bench.delete(file.file.id)
            _ = try await bench.begin(bench.request("c4", size: 2 * FileQuotas.blockBytes), quotas: quotas)
        },
        FileCatalogContract("a user has some uploads at a time, finished ones not counted") { bench in
            let quotas = FileQuotas(userUploadsMax: 2)
            let first = try await bench.begin(bench.request("c1"), quotas: quotas)
            let second = try await bench.begin(bench.request("c2"), quotas: quotas)
            await bench.refuses(.uploadsQuota) { try await bench.begin(bench.request("c3"), quotas: quotas) }
            _ = try await bench.finish(first, bench.hash(1))
            _ = try await bench.begin(bench.request("c3"), quotas: quotas)
            await bench.refuses(.uploadsQuota) { try await bench.begin(bench.request("c4"), quotas: quotas) }
            try await bench.cancel(second.id, by: .alice)
            _ = try await bench.begin(bench.request("c4"), quotas: quotas)
        },
    ]

    // MARK: Files

    private static let files = [
        FileCatalogContract("a finished upload is a file, once") { bench in
            let upload = try await bench.begin(bench.request("c1", size: 7, name: "a.png"))
            let file = try await bench.finish(upload, bench.hash(1), at: 9)
            #expect(
                file.file
                    == StoredFile(
                        id: upload.id, room: bench.room(), owner: .alice, name: FileName(cleaning: "a.png"), type: .png,
                        size: 7, hash: bench.hash(1), createdAt: .ms(9)))
            #expect(try await bench.find(upload.id) == file)
            // Its answer was lost.
            let again = try await bench.ask { bench.catalog.finish(upload.id, as: .png, now: .ms(10), completion: $0) }
            #expect(again == file)
            #expect(try await bench.claim(upload, bench.hash(1)) == file.blob, "as whoever makes it a file begins")
            #expect(try await bench.resume(upload.id, by: .alice) == .file(file))
            await bench.refuses(.notFound) { try await bench.cancel(upload.id, by: .alice) }
            await bench.refuses(.notFound) {
                try await bench.ask {
                    bench.catalog.file(upload.id, in: .named("elsewhere"), completion: $0)
                }
            }
            await bench.refuses(.notFound) {
                try await bench.ask {
                    bench.catalog.delete(upload.id, in: .named("elsewhere"), completion: $0)
                }
            }
        },
        FileCatalogContract("an upload without a claim can't be finished") { bench in
            let upload = try await bench.begin(bench.request("c1"))
            await bench.refuses(.notFound) {
                try await bench.ask { bench.catalog.finish(upload.id, as: .png, now: .ms(0), completion: $0) }
            }
            #expect(try await bench.resume(upload.id, by: .alice) == .upload(upload))
        },
        FileCatalogContract("what is found out about an image stays with it") { bench in
            let image = ImageProperties(width: 640, height: 480, placeholder: "LEHV6n", hasPreview: true)
            let upload = try await bench.begin(bench.request("c1"))
            _ = try await bench.claim(upload, bench.hash(1))
            let file = try await bench.ask {
                bench.catalog.finish(upload.id, as: .png, image: image, now: .ms(0), completion: $0)
            }
            #expect(file.file.image == image)
            #expect(try await bench.find(upload.id).file.image == image)
        },
        FileCatalogContract("a deleted file is gone, and its command is free again") { bench in
            let file = try await bench.file("c1")
            try await bench.delete(file.file.id)
            await bench.refuses(.notFound) { try await bench.find(file.file.id) }
            await bench.refuses(.notFound) { try await bench.delete(file.file.id) }
            #expect(try await bench.begin(bench.request("c1")).id != file.file.id)
        },
        FileCatalogContract("unused files are found, the oldest first") { bench in
            let old = try await bench.file("c1", at: -2_000_001)
            let older = try await bench.file("c2", at: -2_000_002)
            let young = try await bench.file("c3", at: -1_999_999)
            let found = try await bench.ask {
                bench.catalog.unused(since: .ms(-2_000_000), max: 1000, completion: $0)
            }
            let ids = [old, older, young].map(\.file.id)
            #expect(found.map(\.id).filter { ids.contains($0) } == [older.file.id, old.file.id])
            try await bench.ask {
                bench.catalog.delete(old.file.id, in: bench.tenant, onlyUnused: true, completion: $0)
            }
            await bench.refuses(.notFound) { try await bench.find(old.file.id) }
            try await bench.ask {
                bench.catalog.delete(old.file.id, in: bench.tenant, onlyUnused: true, completion: $0)
            }
            try await bench.delete(older.file.id)
        },
    ]

    // MARK: Blobs

    private static let blobs = [
        FileCatalogContract("files with the same bytes have one blob, which goes with the last of them") { bench in
            let (first, second) = (try await bench.file("c1", content: 1), try await bench.file("c2", content: 1))
            #expect(first.blob == second.blob)
            let other = try await bench.file("c3", content: 2)
            #expect(other.blob != first.blob)
            try await bench.delete(first.file.id)
            #expect(try await !bench.takeUnusedBlobs().contains(first.blob))
            try await bench.delete(second.file.id)
            #expect(try await bench.takeUnusedBlobs().contains(first.blob))
            #expect(try await !bench.takeUnusedBlobs().contains(first.blob))
            let unknown = try await bench.ask {
                bench.catalog.unknownBlobs(among: [first.blob, other.blob], completion: $0)
            }
            #expect(unknown == [first.blob])
        },
        FileCatalogContract("a claim keeps a blob, and is the same when it is made again") { bench in
            let first = try await bench.file("c1", content: 1)
            let upload = try await bench.begin(bench.request("c2"))
            #expect(try await bench.claim(upload, bench.hash(1)) == first.blob)
            #expect(try await bench.claim(upload, bench.hash(1)) == first.blob)
            try await bench.delete(first.file.id)
            #expect(try await !bench.takeUnusedBlobs().contains(first.blob))
            try await bench.cancel(upload.id, by: .alice)
            #expect(try await bench.takeUnusedBlobs().contains(first.blob))
            await bench.refuses(.notFound) { try await bench.claim(upload, bench.hash(1)) }
        },
        FileCatalogContract("content that comes again has another blob than the one that went") { bench in
            let first = try await bench.file("c1", content: 1)
            try await bench.delete(first.file.id)
            #expect(try await bench.takeUnusedBlobs().contains(first.blob))
            let second = try await bench.file("c2", content: 1)
            #expect(second.blob.hash == first.blob.hash && second.blob != first.blob)
        },
        FileCatalogContract("many who claim and give up at once leave no blob behind") { bench in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in 1...12 {
                    tasks.addTask {
                        let file = try await bench.file("c\(number)", owner: .named("user-\(number)"), content: 1)
                        try await bench.delete(file.file.id)
                        _ = try await bench.takeUnusedBlobs()
                    }
                }
                try await tasks.waitForAll()
            }
            _ = try await bench.takeUnusedBlobs()
            // Whoever comes now is the first.
            let last = try await bench.file("last", content: 1)
            #expect(last.blob.origin == last.file.id)
        },
    ]
}

/// A catalog and a tenant in it that nobody else uses.
struct FileCatalogBench: Sendable {
    let catalog: any FileCatalog
    let tenant = TenantID.named("t\(UInt64.random(in: .min ... .max))")
    private let salt = UInt8.random(in: .min ... .max)
    private let moreSalt = UInt64.random(in: .min ... .max)

    func room(_ name: String = "room") -> RoomID { RoomID(tenant: tenant, name: .named(name)) }

    /// The hash of some content of this check's.
    func hash(_ number: UInt8) -> ContentHash {
        let bytes = [number, salt] + withUnsafeBytes(of: moreSalt) { Array($0) }
        guard let hash = ContentHash(bytes: bytes + [UInt8](repeating: 0, count: 32 - bytes.count)) else {
            preconditionFailure("a hash has 32 bytes")
        }
        return hash
    }

    func request(
        _ id: String, size: UInt64 = 10, name: String = "a", owner: UserID = .alice, room: String = "room",
        hash: ContentHash? = nil
    ) -> UploadRequest {
        UploadRequest(
            room: self.room(room), owner: owner, id: .named(id), name: FileName(cleaning: name),
            declaredType: "image/png", size: size, hash: hash)
    }

    func entry(
        _ request: UploadRequest, quotas: FileQuotas = FileQuotas(), at time: Int64 = 0
    ) async throws -> CatalogEntry {
        try await ask { catalog.begin(request, id: .random(), quotas: quotas, now: .ms(time), completion: $0) }
    }

    func begin(
        _ request: UploadRequest, quotas: FileQuotas = FileQuotas(), at time: Int64 = 0
    ) async throws -> UploadRecord {
        guard case .upload(let upload) = try await entry(request, quotas: quotas, at: time) else {
            throw FileError(.conflict, "it is a file already")
        }
        return upload
    }

    func resume(_ id: FileID, by user: UserID) async throws -> CatalogEntry {
        try await ask { catalog.resume(id, by: UserKey(tenant: tenant, user: user), now: .ms(0), completion: $0) }
    }

    func cancel(_ id: FileID, by user: UserID) async throws {
        try await ask { catalog.cancel(id, by: UserKey(tenant: tenant, user: user), completion: $0) }
    }

    func claim(_ upload: UploadRecord, _ hash: ContentHash) async throws -> BlobID {
        try await ask { catalog.claim(hash, for: upload.id, completion: $0) }
    }

    func finish(_ upload: UploadRecord, _ hash: ContentHash, at time: Int64 = 0) async throws -> FileRecord {
        _ = try await claim(upload, hash)
        return try await ask { catalog.finish(upload.id, as: .png, now: .ms(time), completion: $0) }
    }

    func file(
        _ id: String, size: UInt64 = 10, owner: UserID = .alice, content: UInt8 = 1, at time: Int64 = 0
    ) async throws -> FileRecord {
        try await finish(try await begin(request(id, size: size, owner: owner), at: time), hash(content), at: time)
    }

    func find(_ id: FileID) async throws -> FileRecord {
        try await ask { catalog.file(id, in: tenant, completion: $0) }
    }

    func delete(_ id: FileID) async throws {
        try await ask { catalog.delete(id, in: tenant, completion: $0) }
    }

    func takeUnusedBlobs() async throws -> [BlobID] {
        try await ask { catalog.takeUnusedBlobs(max: 10_000, completion: $0) }
    }

    func refuses<Value>(
        _ code: FileError.Code, _ body: () async throws -> Value, sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        do {
            _ = try await body()
            Issue.record("was not refused with \(code.rawValue)", sourceLocation: sourceLocation)
        } catch {
            #expect((error as? FileError)?.code == code, sourceLocation: sourceLocation)
        }
    }

    func ask<Value: Sendable>(_ question: (@escaping FileCompletion<Value>) -> Void) async throws -> Value {
        let result = await withCheckedContinuation { continuation in
            question { continuation.resume(returning: $0) }
        }
        return try result.get()
    }
}
