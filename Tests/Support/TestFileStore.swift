public import GoHubCore
internal import Synchronization

/// A file store in memory, for uploads only. Writes can be held up, as by a slow disk.
public final class TestFileStore: FileStore {
    private struct State {
        var uploads: [FileID: (request: Upload.Request, bytes: [UInt8], leases: UInt64)] = [:]
        var files: [FileID: (file: StoredFile, bytes: [UInt8])] = [:]
        var released: [Upload.Lease] = []
        var isHolding = false
        var held: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let fileBytesMax: UInt64

    public init(fileBytesMax: UInt64 = .max) {
        self.fileBytesMax = fileBytesMax
    }

    // MARK: For tests

    public var released: [Upload.Lease] { state.withLock { $0.released } }

    public func bytes(of id: FileID) -> [UInt8]? { state.withLock { $0.files[id]?.bytes } }

    public var heldCount: Int { state.withLock { $0.held.count } }

    /// Whether writes are done but not answered. Setting it to false answers them.
    public func hold(_ isHolding: Bool) {
        let held = state.withLock { state in
            state.isHolding = isHolding
            guard !isHolding else { return [@Sendable () -> Void]() }
            defer { state.held = [] }
            return state.held
        }
        for answer in held { answer() }
    }

    // MARK: Uploads

    public func begin(_ request: Upload.Request, completion: @escaping FileCompletion<Upload.State>) {
        completion(
            state.withLock { state in
                let known = state.uploads.first { _, upload in
                    let other = upload.request
                    return other.id == request.id && other.room == request.room && other.owner == request.owner
                }
                if let known { return Self.take(known.key, &state) }
                guard request.size <= fileBytesMax else {
                    return .failure(FileError(.tooLarge, "The file is larger than the limit of \(fileBytesMax) bytes."))
                }
                let id = FileID.random()
                state.uploads[id] = (request, [], 0)
                return Self.take(id, &state)
            })
    }

    public func resume(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<Upload.State>) {
        completion(state.withLock { Self.take(id, &$0) })
    }

    private static func take(_ id: FileID, _ state: inout State) -> Result<Upload.State, FileError> {
        state.uploads[id]?.leases += 1
        guard let (request, bytes, leases) = state.uploads[id] else { return .failure(.notFound) }
        let upload = Upload(id: id, request: request, offset: UInt64(bytes.count), expiresAt: .ms(0))
        return .success(.open(upload, Upload.Lease(id: id, number: leases)))
    }

    public func write(
        _ bytes: [UInt8], at offset: UInt64, with lease: Upload.Lease, completion: @escaping FileCompletion<UInt64>
    ) {
        let answer: Result<UInt64, FileError>? = state.withLock { state in
            guard let upload = state.uploads[lease.id], upload.leases == lease.number else {
                return .failure(.superseded)
            }
            guard offset == upload.bytes.count else {
                return .failure(.wrongOffset(expected: UInt64(upload.bytes.count)))
            }
            state.uploads[lease.id]?.bytes += bytes
            let stored = offset + UInt64(bytes.count)
            guard state.isHolding else { return .success(stored) }
            state.held.append { completion(.success(stored)) }
            return nil
        }
        if let answer { completion(answer) }
    }

    public func finish(_ lease: Upload.Lease, completion: @escaping FileCompletion<StoredFile>) {
        completion(
            state.withLock { state in
                guard let (request, bytes, leases) = state.uploads[lease.id], leases == lease.number else {
                    return .failure(.superseded)
                }
                let made = StoredFile.test(in: request.room)
                let file = StoredFile(
                    id: lease.id, room: request.room, owner: request.owner, name: request.name, type: .bytes,
                    size: request.size, hash: request.hash ?? made.hash, createdAt: .ms(0))
                state.uploads[lease.id] = nil
                state.files[lease.id] = (file, bytes)
                return .success(file)
            })
    }

    public func release(_ lease: Upload.Lease) {
        state.withLock { $0.released.append(lease) }
    }

    public func cancel(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<Void>) {
        completion(state.withLock { $0.uploads.removeValue(forKey: id) == nil ? .failure(.notFound) : .success(()) })
    }

    // MARK: Files

    public func file(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<StoredFile>) {
        completion(state.withLock { $0.files[id].map { .success($0.file) } ?? .failure(.notFound) })
    }

    public func open(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<any FileReader>) {
        completion(.failure(.notFound))
    }

    public func preview(
        _ id: FileID, in tenant: TenantID,
        completion: @escaping FileCompletion<(file: StoredFile, bytes: [UInt8])>
    ) {
        completion(.failure(.notFound))
    }

    public func delete(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<Void>) {
        completion(.failure(.notFound))
    }

    public func unused(since time: WallTime, max: Int, completion: @escaping FileCompletion<[StoredFile]>) {
        completion(.success([]))
    }
}
