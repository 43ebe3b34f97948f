public import GoHubCore
internal import Synchronization

/// A catalog in memory, lost with the process: for messages in memory, and for tests. Bounded by the quotas of the
/// uploaders.
public final class InMemoryFileCatalog: FileCatalog {
    private let tables = Mutex(State())

    fileprivate struct State {
        var uploads: [FileID: UploadRecord] = [:]
        var files: [FileID: FileRecord] = [:]
        var ids: [UploadKey: FileID] = [:]
        var usages: [UsageKey: FileUsage] = [:]
        var blobs: [ContentHash: (id: BlobID, uses: Int)] = [:]
    }

    fileprivate struct UsageKey: Hashable {
        let tenant: TenantID
        /// `nil` for the whole tenant.
        let owner: UserID?
    }

    /// A catalog without rows.
    public init() {}

    public func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>
    ) {
        let result = tables.withLock { state -> Result<Value, FileError> in
            // Nothing here fails, and bodies refuse before they change anything: no rollback is needed.
            let tables = InMemoryFileTables(state)
            state = State()
            defer { state = tables.state }
            do throws(FileError) {
                return .success(try body(tables))
            } catch {
                return .failure(error)
            }
        }
        completion(result)
    }

    public func read<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>
    ) {
        transaction(body, completion: completion)
    }
}

extension InMemoryFileCatalog: RoomFiles {
    public func use(_ ids: [FileID], in room: RoomID) -> [StoredFile]? {
        tables.withLock { state in
            let found = ids.compactMap { state.files[$0]?.file }.filter { $0.room == room }
            guard found.count == ids.count else { return nil }
            for id in ids { state.files[id]?.uses += 1 }
            return found
        }
    }

    public func release(_ ids: [FileID], at time: WallTime) {
        tables.withLock { state in
            for id in ids {
                guard let uses = state.files[id]?.uses, uses > 0 else { continue }
                state.files[id]?.uses = uses - 1
                if uses == 1 { state.files[id]?.unusedSince = time }
            }
        }
    }
}

private final class InMemoryFileTables: FileTables {
    var state: InMemoryFileCatalog.State

    init(_ state: InMemoryFileCatalog.State) {
        self.state = state
    }

    // MARK: Uploads

    func upload(_ id: FileID) -> UploadRecord? { state.uploads[id] }

    func upload(_ key: UploadKey) -> UploadRecord? { state.ids[key].flatMap { state.uploads[$0] } }

    func add(_ upload: UploadRecord) {
        state.uploads[upload.id] = upload
        state.ids[upload.request.key] = upload.id
    }

    func update(_ upload: UploadRecord) {
        state.uploads[upload.id] = upload
    }

    func removeUpload(_ id: FileID) {
        guard let upload = state.uploads.removeValue(forKey: id) else { return }
        state.ids[upload.request.key] = nil
    }

    func uploads(untouchedSince time: WallTime, max: Int) -> [UploadRecord] {
        Array(
            state.uploads.values.filter { $0.touchedAt <= time }.sorted { $0.touchedAt < $1.touchedAt }.prefix(max))
    }

    // MARK: Files

    func file(_ id: FileID) -> FileRecord? { state.files[id] }

    func file(_ key: UploadKey) -> FileRecord? { state.ids[key].flatMap { state.files[$0] } }

    func add(_ file: FileRecord) {
        state.files[file.file.id] = file
        state.ids[file.key] = file.file.id
    }

    func removeFile(_ id: FileID) {
        guard let file = state.files.removeValue(forKey: id) else { return }
        state.ids[file.key] = nil
    }

    func files(unusedSince time: WallTime, max: Int) -> [FileRecord] {
        let unused = state.files.values.filter { $0.uses == 0 && $0.unusedSince <= time }
        return Array(unused.sorted { $0.unusedSince < $1.unusedSince }.prefix(max))
    }

    // MARK: Usage

    func usage(of owner: UserID?, in tenant: TenantID) -> FileUsage {
        state.usages[InMemoryFileCatalog.UsageKey(tenant: tenant, owner: owner)] ?? FileUsage()
    }

    func addUsage(bytes: Int64, uploads: Int, of owner: UserKey) {
        for user in [owner.user, nil] {
            let key = InMemoryFileCatalog.UsageKey(tenant: owner.tenant, owner: user)
            var usage = state.usages[key] ?? FileUsage()
            usage.bytes = UInt64(clamping: Int64(clamping: usage.bytes) &+ bytes)
            usage.uploads = max(0, usage.uploads + uploads)
            state.usages[key] = usage == FileUsage() ? nil : usage
        }
    }

    // MARK: Blobs

    func blob(_ hash: ContentHash) -> BlobID? { state.blobs[hash]?.id }

    func add(_ blob: BlobID) {
        state.blobs[blob.hash] = (blob, 0)
    }

    func addUses(_ difference: Int, of blob: BlobID) {
        state.blobs[blob.hash]?.uses += difference
    }

    func isKnown(_ blob: BlobID) -> Bool { state.blobs[blob.hash]?.id == blob }

    func removeUnusedBlobs(max: Int) -> [BlobID] {
        let unused = state.blobs.values.lazy.filter { $0.uses <= 0 }.prefix(max).map(\.id)
        let ids = Array(unused)
        for id in ids { state.blobs[id.hash] = nil }
        return ids
    }
}
