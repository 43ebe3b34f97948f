import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubStore

/// The requirements of every `FileCatalog`, one check each, the same for memory, SQLite and PostgreSQL.
///
/// A check works in a tenant of its own, with content of its own, so that all checks can run in parallel on one
/// database.
struct FileCatalogContract: Sendable, CustomTestStringConvertible {
    private let name: String
    private let body: @Sendable (FileCatalogFixture) async throws -> Void

    var testDescription: String { name }

    func run(on catalog: any FileCatalog) async throws {
        try await body(FileCatalogFixture(catalog: catalog))
    }

    private init(_ name: String, _ body: @escaping @Sendable (FileCatalogFixture) async throws -> Void) {
        self.name = name
        self.body = body
    }

    static let checks: [FileCatalogContract] = uploads + quotas + files + blobs

    // MARK: Uploads

    private static let uploads = [
        FileCatalogContract("an upload is found by its command, with all that was said of it") { fixture in
            let request = fixture.request("c1", name: "süß \u{1F600}.png", hash: fixture.hash(1))
            let first = try await fixture.begin(request)
            #expect(first.request == request)
            #expect(try await fixture.begin(request, at: 5).id == first.id)
            // Another owner, room or id is another upload.
            var others: Set<FileID> = [first.id]
            others.insert(try await fixture.begin(fixture.request("c2")).id)
            others.insert(try await fixture.begin(fixture.request("c1", owner: .bob)).id)
            others.insert(try await fixture.begin(fixture.request("c1", room: "other")).id)
            #expect(others.count == 4)
        },
        FileCatalogContract("a command that means another file is refused") { fixture in
            let request = fixture.request("c1", size: 10)
            _ = try await fixture.begin(request)
            await fixture.refuses(.conflict) { try await fixture.begin(fixture.request("c1", size: 11)) }
            await fixture.refuses(.conflict) { try await fixture.begin(fixture.request("c1", size: 10, name: "b")) }
            let file = try await fixture.file("c2", size: 10)
            await fixture.refuses(.conflict) { try await fixture.begin(fixture.request("c2", size: 11)) }
            let again = try await fixture.entry(fixture.request("c2", size: 10))
            #expect(again == .file(file))
        },
        FileCatalogContract("an upload is its owner's alone") { fixture in
            let upload = try await fixture.begin(fixture.request("c1"))
            #expect(try await fixture.resume(upload.id, by: .alice) == .upload(upload))
            await fixture.refuses(.notFound) { try await fixture.resume(upload.id, by: .bob) }
            await fixture.refuses(.notFound) { try await fixture.cancel(upload.id, by: .bob) }
            let stranger = UserKey(tenant: .named("elsewhere"), user: .alice)
            await fixture.refuses(.notFound) {
                try await fixture.ask { fixture.catalog.resume(upload.id, by: stranger, now: .ms(0), completion: $0) }
            }
            try await fixture.cancel(upload.id, by: .alice)
            await fixture.refuses(.notFound) { try await fixture.resume(upload.id, by: .alice) }
            await fixture.refuses(.notFound) { try await fixture.cancel(upload.id, by: .alice) }
        },
        FileCatalogContract("uploads that nobody touches are found, the oldest first") { fixture in
            let old = try await fixture.begin(fixture.request("c1"), at: -1_000_001)
            let older = try await fixture.begin(fixture.request("c2"), at: -1_000_002)
            let touched = try await fixture.begin(fixture.request("c3"), at: -1_000_003)
            try await fixture.ask { fixture.catalog.touch(touched.id, at: .ms(-999_999), completion: $0) }
            let found = try await fixture.ask {
                fixture.catalog.uploads(untouchedSince: .ms(-1_000_000), max: 1000, completion: $0)
            }
            let ids = found.map(\.id).filter { [old.id, older.id, touched.id].contains($0) }
            #expect(ids == [older.id, old.id])
            await fixture.refuses(.notFound) {
                try await fixture.ask {
                    fixture.catalog.cancel(touched.id, untouchedSince: .ms(-1_000_000), completion: $0)
                }
            }
            try await fixture.ask { fixture.catalog.cancel(old.id, untouchedSince: .ms(-1_000_000), completion: $0) }
            let unknown = try await fixture.ask {
                fixture.catalog.unknownUploads(among: [old.id, older.id, touched.id], completion: $0)
            }
            #expect(unknown == [old.id])
            // Removed, so that other checks don't find it.
            try await fixture.cancel(older.id, by: .alice)
        },
    ]

    // MARK: Quotas

    private static let quotas = [
        FileCatalogContract("a file that is too large is refused, one of just the size isn't") { fixture in
            let quotas = FileQuotas(fileBytesMax: 100_000)
            _ = try await fixture.begin(fixture.request("c1", size: 100_000), quotas: quotas)
            await fixture.refuses(.tooLarge) {
                try await fixture.begin(fixture.request("c2", size: 101_000), quotas: quotas)
            }
            await fixture.refuses(.tooLarge) {
                try await fixture.begin(fixture.request("c3", size: .max), quotas: FileQuotas(fileBytesMax: .max))
            }
        },
        FileCatalogContract("what a user has counts, and comes back when it goes") { fixture in
            let quotas = FileQuotas(userBytesMax: 100_000)
            let upload = try await fixture.begin(fixture.request("c1", size: 60_000), quotas: quotas)
            await fixture.refuses(.userQuota) {
                try await fixture.begin(fixture.request("c2", size: 41_000), quotas: quotas)
            }
            // A repeat uses no more quota.
            _ = try await fixture.begin(fixture.request("c1", size: 60_000), quotas: quotas)
            let file = try await fixture.finish(upload, fixture.hash(1))
            await fixture.refuses(.userQuota) {
                try await fixture.begin(fixture.request("c2", size: 41_000), quotas: quotas)
            }
            let other = try await fixture.begin(fixture.request("c3", size: 40_000), quotas: quotas)
            try await fixture.cancel(other.id, by: .alice)
            try await fixture.delete(file.file.id)
            _ = try await fixture.begin(fixture.request("c4", size: 100_000), quotas: quotas)
            // Other users have their own quota.
            _ = try await fixture.begin(fixture.request("c4", size: 100_000, owner: .bob), quotas: quotas)
        },
        FileCatalogContract("what a tenant has counts over its users") { fixture in
            let quotas = FileQuotas(tenantBytesMax: 100_000)
            _ = try await fixture.begin(fixture.request("c1", size: 60_000), quotas: quotas)
            await fixture.refuses(.tenantQuota) {
                try await fixture.begin(fixture.request("c1", size: 41_000, owner: .bob), quotas: quotas)
            }
            _ = try await fixture.begin(fixture.request("c1", size: 40_000, owner: .bob), quotas: quotas)
        },
        FileCatalogContract("the smallest file counts as a block") { fixture in
            let quotas = FileQuotas(userBytesMax: 2 * FileQuotas.blockBytes)
            let first = try await fixture.begin(fixture.request("c1", size: 0), quotas: quotas)
            let file = try await fixture.finish(first, fixture.hash(1))
            let second = try await fixture.begin(fixture.request("c2", size: 1), quotas: quotas)
            await fixture.refuses(.userQuota) {
                try await fixture.begin(fixture.request("c3", size: 0), quotas: quotas)
            }
            try await fixture.cancel(second.id, by: .alice)
            try await fixture.delete(file.file.id)
            _ = try await fixture.begin(fixture.request("c4", size: 2 * FileQuotas.blockBytes), quotas: quotas)
        },
        FileCatalogContract("a user has some uploads at a time, finished ones not counted") { fixture in
            let quotas = FileQuotas(userUploadsMax: 2)
            let first = try await fixture.begin(fixture.request("c1"), quotas: quotas)
            let second = try await fixture.begin(fixture.request("c2"), quotas: quotas)
            await fixture.refuses(.uploadsQuota) { try await fixture.begin(fixture.request("c3"), quotas: quotas) }
            _ = try await fixture.finish(first, fixture.hash(1))
            _ = try await fixture.begin(fixture.request("c3"), quotas: quotas)
            await fixture.refuses(.uploadsQuota) { try await fixture.begin(fixture.request("c4"), quotas: quotas) }
            try await fixture.cancel(second.id, by: .alice)
            _ = try await fixture.begin(fixture.request("c4"), quotas: quotas)
        },
    ]

    // MARK: Files

    private static let files = [
        FileCatalogContract("a finished upload is a file, once") { fixture in
            let upload = try await fixture.begin(fixture.request("c1", size: 7, name: "a.png"))
            let file = try await fixture.finish(upload, fixture.hash(1), at: 9)
            #expect(
                file.file
                    == StoredFile(
                        id: upload.id, room: fixture.room(), owner: .alice, name: FileName(cleaning: "a.png"),
                        type: .png,
                        size: 7, hash: fixture.hash(1), createdAt: .ms(9)))
            #expect(try await fixture.find(upload.id) == file)
            // Its answer was lost.
            let again = try await fixture.ask {
                fixture.catalog.finish(upload.id, as: .png, now: .ms(10), completion: $0)
            }
            #expect(again == file)
            #expect(try await fixture.claim(upload, fixture.hash(1)) == file.blob, "as whoever makes it a file begins")
            #expect(try await fixture.resume(upload.id, by: .alice) == .file(file))
            await fixture.refuses(.notFound) { try await fixture.cancel(upload.id, by: .alice) }
            await fixture.refuses(.notFound) {
                try await fixture.ask {
                    fixture.catalog.file(upload.id, in: .named("elsewhere"), completion: $0)
                }
            }
            await fixture.refuses(.notFound) {
                try await fixture.ask {
                    fixture.catalog.delete(upload.id, in: .named("elsewhere"), completion: $0)
                }
            }
        },
        FileCatalogContract("an upload without a claim can't be finished") { fixture in
            let upload = try await fixture.begin(fixture.request("c1"))
            await fixture.refuses(.notFound) {
                try await fixture.ask { fixture.catalog.finish(upload.id, as: .png, now: .ms(0), completion: $0) }
            }
            #expect(try await fixture.resume(upload.id, by: .alice) == .upload(upload))
        },
        FileCatalogContract("what is found out about an image stays with it") { fixture in
            let image = ImageProperties(width: 640, height: 480, placeholder: "LEHV6n", hasPreview: true)
            let upload = try await fixture.begin(fixture.request("c1"))
            _ = try await fixture.claim(upload, fixture.hash(1))
            let file = try await fixture.ask {
                fixture.catalog.finish(upload.id, as: .png, image: image, now: .ms(0), completion: $0)
            }
            #expect(file.file.image == image)
            #expect(try await fixture.find(upload.id).file.image == image)
        },
        FileCatalogContract("a deleted file is gone, and its command is free again") { fixture in
            let file = try await fixture.file("c1")
            try await fixture.delete(file.file.id)
            await fixture.refuses(.notFound) { try await fixture.find(file.file.id) }
            await fixture.refuses(.notFound) { try await fixture.delete(file.file.id) }
            #expect(try await fixture.begin(fixture.request("c1")).id != file.file.id)
        },
        FileCatalogContract("unused files are found, the oldest first") { fixture in
            let old = try await fixture.file("c1", at: -2_000_001)
            let older = try await fixture.file("c2", at: -2_000_002)
            let young = try await fixture.file("c3", at: -1_999_999)
            let found = try await fixture.ask {
                fixture.catalog.unused(since: .ms(-2_000_000), max: 1000, completion: $0)
            }
            let ids = [old, older, young].map(\.file.id)
            #expect(found.map(\.id).filter { ids.contains($0) } == [older.file.id, old.file.id])
            try await fixture.ask {
                fixture.catalog.delete(old.file.id, in: fixture.tenant, onlyUnused: true, completion: $0)
            }
            await fixture.refuses(.notFound) { try await fixture.find(old.file.id) }
            try await fixture.ask {
                fixture.catalog.delete(old.file.id, in: fixture.tenant, onlyUnused: true, completion: $0)
            }
            try await fixture.delete(older.file.id)
        },
    ]

    // MARK: Blobs

    private static let blobs = [
        FileCatalogContract("files with the same bytes have one blob, which goes with the last of them") { fixture in
            let (first, second) = (try await fixture.file("c1", content: 1), try await fixture.file("c2", content: 1))
            #expect(first.blob == second.blob)
            let other = try await fixture.file("c3", content: 2)
            #expect(other.blob != first.blob)
            try await fixture.delete(first.file.id)
            #expect(try await !fixture.takeUnusedBlobs().contains(first.blob))
            try await fixture.delete(second.file.id)
            #expect(try await fixture.takeUnusedBlobs().contains(first.blob))
            #expect(try await !fixture.takeUnusedBlobs().contains(first.blob))
            let unknown = try await fixture.ask {
                fixture.catalog.unknownBlobs(among: [first.blob, other.blob], completion: $0)
            }
            #expect(unknown == [first.blob])
        },
        FileCatalogContract("a claim keeps a blob, and is the same when it is made again") { fixture in
            let first = try await fixture.file("c1", content: 1)
            let upload = try await fixture.begin(fixture.request("c2"))
            #expect(try await fixture.claim(upload, fixture.hash(1)) == first.blob)
            #expect(try await fixture.claim(upload, fixture.hash(1)) == first.blob)
            try await fixture.delete(first.file.id)
            #expect(try await !fixture.takeUnusedBlobs().contains(first.blob))
            try await fixture.cancel(upload.id, by: .alice)
            #expect(try await fixture.takeUnusedBlobs().contains(first.blob))
            await fixture.refuses(.notFound) { try await fixture.claim(upload, fixture.hash(1)) }
        },
        FileCatalogContract("content that comes again has another blob than the one that went") { fixture in
            let first = try await fixture.file("c1", content: 1)
            try await fixture.delete(first.file.id)
            #expect(try await fixture.takeUnusedBlobs().contains(first.blob))
            let second = try await fixture.file("c2", content: 1)
            #expect(second.blob.hash == first.blob.hash && second.blob != first.blob)
        },
        FileCatalogContract("many who claim and give up at once leave no blob behind") { fixture in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for number in 1...12 {
                    tasks.addTask {
                        let file = try await fixture.file("c\(number)", owner: .named("user-\(number)"), content: 1)
                        try await fixture.delete(file.file.id)
                        _ = try await fixture.takeUnusedBlobs()
                    }
                }
                try await tasks.waitForAll()
            }
            _ = try await fixture.takeUnusedBlobs()
            // The next upload is the first again.
            let last = try await fixture.file("last", content: 1)
            #expect(last.blob.origin == last.file.id)
        },
    ]
}

/// A catalog and a tenant in it that no other check uses.
struct FileCatalogFixture: Sendable {
    let catalog: any FileCatalog
    let tenant = TenantID.named("t\(UInt64.random(in: .min ... .max))")
    private let salt = UInt8.random(in: .min ... .max)
    private let moreSalt = UInt64.random(in: .min ... .max)

    func room(_ name: String = "room") -> RoomID { RoomID(tenant: tenant, name: .named(name)) }

    /// The hash of content that only this check uses.
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
    ) -> Upload.Request {
        Upload.Request(
            room: self.room(room), owner: owner, id: .named(id), name: FileName(cleaning: name),
            declaredType: "image/png", size: size, hash: hash)
    }

    func entry(
        _ request: Upload.Request, quotas: FileQuotas = FileQuotas(), at time: Int64 = 0
    ) async throws -> CatalogEntry {
        try await ask { catalog.begin(request, id: .random(), quotas: quotas, now: .ms(time), completion: $0) }
    }

    func begin(
        _ request: Upload.Request, quotas: FileQuotas = FileQuotas(), at time: Int64 = 0
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
