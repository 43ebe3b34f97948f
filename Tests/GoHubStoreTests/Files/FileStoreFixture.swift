import Crypto
import Glibc
import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubStore

/// A disk store in a folder of its own, with helpers for requests.
final class FileStoreFixture: Sendable {
    let directory: TemporaryDirectory
    let catalog: any FileCatalog
    let time = TestTime()
    let reports = Mutex<[String]>([])
    private let current: Mutex<DiskFileStore>
    private let options: DiskFileStore.Options
    private let writeback: Writeback

    init(
        catalog: any FileCatalog = InMemoryFileCatalog(), writeback: Writeback = Writeback(),
        _ change: (inout DiskFileStore.Options) -> Void = { _ in }
    ) throws {
        directory = try TemporaryDirectory()
        self.catalog = catalog
        self.writeback = writeback
        var options = DiskFileStore.Options()
        options.clock = { [time] in time.wall }
        change(&options)
        self.options = options
        let folder = try FileFolder(directory.file("files"), writeback: writeback)
        current = Mutex(try DiskFileStore(folder, catalog: catalog, options: options))
    }

    var store: DiskFileStore { current.withLock { $0 } }

    var folder: FileFolder { store.folder }

    /// A new run of the hub: only the disk's and the catalog's contents are left.
    func restart() async throws {
        await store.close()
        let folder = try FileFolder(directory.file("files"), writeback: writeback)
        let fresh = try DiskFileStore(folder, catalog: catalog, options: options)
        current.withLock { $0 = fresh }
    }

    func request(
        _ id: String = "c1", size: Int, hash: ContentHash? = nil, owner: UserID = .alice
    ) -> Upload.Request {
        Upload.Request(
            room: .lobby, owner: owner, id: .named(id), name: FileName(cleaning: "a.bin"), size: UInt64(size),
            hash: hash)
    }

    func begin(_ request: Upload.Request) async throws -> (upload: Upload, lease: Upload.Lease) {
        try opened(try await ask { store.begin(request, completion: $0) })
    }

    func resume(_ id: FileID, by user: UserID = .alice) async throws -> (upload: Upload, lease: Upload.Lease) {
        try opened(try await state(id, by: user))
    }

    func state(_ id: FileID, by user: UserID = .alice) async throws -> Upload.State {
        try await ask { store.resume(id, by: UserKey(tenant: .standard, user: user), completion: $0) }
    }

    private func opened(_ state: Upload.State) throws -> (upload: Upload, lease: Upload.Lease) {
        guard case .open(let upload, let lease) = state else { throw FileError(.conflict, "it is a file already") }
        return (upload, lease)
    }

    @discardableResult
    func write(_ bytes: [UInt8], at offset: Int, _ lease: Upload.Lease) async throws -> UInt64 {
        try await ask { store.write(bytes, at: UInt64(offset), with: lease, completion: $0) }
    }

    func finish(_ lease: Upload.Lease) async throws -> StoredFile {
        try await ask { store.finish(lease, completion: $0) }
    }

    func cancel(_ id: FileID, by user: UserID = .alice) async throws {
        try await ask { store.cancel(id, by: UserKey(tenant: .standard, user: user), completion: $0) }
    }

    func delete(_ id: FileID) async throws {
        try await ask { store.delete(id, in: .standard, completion: $0) }
    }

    /// A whole upload.
    func file(_ id: String, _ bytes: [UInt8], owner: UserID = .alice) async throws -> StoredFile {
        let (_, lease) = try await begin(request(id, size: bytes.count, owner: owner))
        if !bytes.isEmpty { try await write(bytes, at: 0, lease) }
        return try await finish(lease)
    }

    func contents(_ id: FileID, pieces: Int = 1000) async throws -> [UInt8] {
        let reader: any FileReader = try await ask { store.open(id, in: .standard, completion: $0) }
        var bytes: [UInt8] = []
        while true {
            let piece = try await ask { reader.read(at: UInt64(bytes.count), bytesMax: pieces, completion: $0) }
            guard !piece.isEmpty else { return bytes }
            bytes += piece
        }
    }

    func ask<Value: Sendable>(_ question: (@escaping FileCompletion<Value>) -> Void) async throws -> Value {
        let result = await withCheckedContinuation { continuation in
            question { continuation.resume(returning: $0) }
        }
        return try result.get()
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

    /// Paths of all files below a folder of the store's.
    func names(in folder: String) -> [String] {
        func list(_ path: String) -> [String] {
            guard let entries = opendir(path) else { return [] }
            defer { closedir(entries) }
            var names: [String] = []
            while let entry = readdir(entries) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard name != ".", name != ".." else { continue }
                let isFolder = entry.pointee.d_type == UInt8(DT_DIR)
                names += isFolder ? list("\(path)/\(name)") : ["\(path)/\(name)"]
            }
            return names
        }
        return list(directory.file("files/\(folder)")).sorted()
    }

    static func hash(_ bytes: [UInt8]) -> ContentHash {
        guard let hash = ContentHash(bytes: SHA256.hash(data: bytes)) else { preconditionFailure("32 bytes") }
        return hash
    }

    static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 32)
        }
    }
}
