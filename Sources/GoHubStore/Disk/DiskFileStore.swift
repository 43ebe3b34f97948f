public import GoHubCore
internal import Synchronization

/// Files in a folder of this machine, or in one shared by several machines. Their records are in a `FileCatalog`.
///
/// Dedicated threads read and write; neither a slow disk nor an fsync blocks a caller. The hash of an upload is
/// computed while its bytes arrive. `FinishState` says how an upload becomes a file: a crash at any point leaves a
/// state that the next `resume` and `finish` continue from.
///
/// `+Finishing` has the end of uploads, `+Tidying` the periodic cleanup.
public final class DiskFileStore: FileStore {
    /// The options of the store.
    public struct Options: Sendable {
        /// The limits for files and uploads, checked when an upload begins.
        public var quotas = FileQuotas()
        /// The time after which an upload without progress expires.
        public var uploadsExpireAfter: Milliseconds = .seconds(24 * 60 * 60)
        /// The time after which a file without a message is removed; `nil` keeps it until it is deleted.
        public var unusedKeptFor: Milliseconds?
        /// Makes previews of images; `nil` makes none.
        public var previews: (any ImagePreviewing)?
        /// The maximum number of files open for reading; further ones are refused.
        public var readersMax = 256
        /// The clock for the times of files and the expiry of uploads.
        public var clock: @Sendable () -> WallTime = { .now() }
        /// Reports failures to the operator, on any thread: what failed, and the code and message of its `StoreError`.
        public var report: @Sendable (String) -> Void = { _ in }

        public init() {}
    }

    /// The number of threads. A disk handles several operations at once, and one upload's sync must not delay all
    /// others.
    private static let workerCount = 4

    let folder: FileFolder
    let catalog: any FileCatalog
    let options: Options
    private let workers: [FileWorker]
    private let readers = Atomic(0)
    /// The part of the blobs to examine next. The start is random, so that even a hub that restarts often covers all of
    /// them.
    let nextDigits = Atomic(Int.random(in: 0...0xFF))

    /// - Parameters:
    ///   - path: the folder, created if it doesn't exist; its parent directory must exist.
    ///   - catalog: the records of the files. The store does not close it.
    ///   - options: quotas, expiry and previews.
    /// - Throws: `StoreError`, a sentence that says what to do, when the folder can't be used or a thread can't be
    ///   started.
    public convenience init(path: String, catalog: any FileCatalog, options: Options = Options()) throws(StoreError) {
        try self.init(FileFolder(path), catalog: catalog, options: options)
    }

    init(_ folder: FileFolder, catalog: any FileCatalog, options: Options) throws(StoreError) {
        self.folder = folder
        self.catalog = catalog
        self.options = options
        var workers: [FileWorker] = []
        for index in 0..<Self.workerCount { workers.append(try FileWorker(index, folder)) }
        self.workers = workers
    }

    /// Refuses new requests, answers all waiting ones, and returns when the threads have ended. Close the catalog after
    /// it.
    public func close() async {
        for worker in workers { await worker.close() }
    }

    /// Runs blocking work on one of the threads.
    ///
    /// - Returns: `nil` when the store is closed.
    func blocking<Value: Sendable>(_ body: @escaping @Sendable (FileFolder) -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            workers[0].resume(
                FileWorker.Job(
                    run: { continuation.resume(returning: body($0.folder)) },
                    refuse: { _ in continuation.resume(returning: nil) }))
        }
    }

    func worker(of id: FileID) -> FileWorker { workers[Int(UInt(bitPattern: id.hashValue) % UInt(workers.count))] }

    /// A completion that reports the causes of failures to the operator; the client doesn't receive them.
    func reporting<Value>(_ completion: @escaping FileCompletion<Value>) -> FileCompletion<Value> {
        { [options] result in
            if case .failure(let error) = result, error.underlying != nil {
                options.report("a request failed \(error.logText)")
            }
            completion(result)
        }
    }

    /// Runs an operation on an upload's lane.
    private func perform<Value>(
        _ id: FileID, _ completion: @escaping FileCompletion<Value>,
        _ body: @escaping @Sendable (FileUploads) throws(FileError) -> Value
    ) {
        worker(of: id).add(Self.job(completion, body))
    }

    private static func job<Value>(
        _ completion: @escaping FileCompletion<Value>,
        _ body: @escaping @Sendable (FileUploads) throws(FileError) -> Value
    ) -> FileWorker.Job {
        FileWorker.Job(
            run: { uploads in
                do throws(FileError) {
                    completion(.success(try body(uploads)))
                } catch {
                    completion(.failure(error))
                }
            }, refuse: { completion(.failure($0)) })
    }

    // MARK: Uploads

    public func begin(_ request: Upload.Request, completion: @escaping FileCompletion<Upload.State>) {
        let completion = reporting(completion)
        catalog.begin(request, id: .random(), quotas: options.quotas, now: options.clock()) { [self] in
            acquire($0, completion)
        }
    }

    public func resume(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<Upload.State>) {
        let completion = reporting(completion)
        catalog.resume(id, by: owner, now: options.clock()) { [self] in acquire($0, completion) }
    }

    private func acquire(
        _ result: Result<CatalogEntry, FileError>, _ completion: @escaping FileCompletion<Upload.State>
    ) {
        switch result {
        case .failure(let error): completion(.failure(error))
        case .success(.file(let record)): completion(.success(.finished(record.file)))
        case .success(.upload(let record)):
            let expiresAt = record.touchedAt.after(options.uploadsExpireAfter)
            perform(record.id, completion) { [self] uploads throws(FileError) in
                let state = try uploads.acquire(record, expiresAt: expiresAt)
                hash(record.id, uploads)
                return state
            }
        }
    }

    public func write(
        _ bytes: [UInt8], at offset: UInt64, with lease: Upload.Lease, completion: @escaping FileCompletion<UInt64>
    ) {
        let job = Self.job(reporting(completion)) { uploads throws(FileError) in
            try uploads.write(bytes, at: offset, lease)
        }
        worker(of: lease.id).resume(job)
    }

    public func release(_ lease: Upload.Lease) {
        worker(of: lease.id).resume(FileWorker.Job(run: { $0.release(lease) }, refuse: { _ in }))
    }

    public func cancel(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<Void>) {
        let completion = reporting(completion)
        catalog.cancel(id, by: owner) { [self] result in
            guard case .success = result else { return completion(result) }
            remove(id) { completion(.success(())) }
        }
    }

    /// Removes an upload that the catalog no longer has, and its partial result.
    ///
    /// - Parameter error: for the request that waits for its end.
    func remove(_ id: FileID, _ error: FileError = .notFound, _ completion: @escaping @Sendable () -> Void) {
        worker(of: id).resume(
            FileWorker.Job(
                run: { [self] uploads in
                    uploads.remove(id, error)
                    collectBlobs()
                    completion()
                }, refuse: { _ in completion() }))
    }

    // MARK: Files

    public func file(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<StoredFile>) {
        let completion = reporting(completion)
        catalog.file(id, in: tenant) { result in completion(result.map(\.file)) }
    }

    public func open(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<any FileReader>) {
        let completion = reporting(completion)
        guard readers.add(1, ordering: .relaxed).newValue <= options.readersMax else {
            readers.subtract(1, ordering: .relaxed)
            return completion(.failure(.busy))
        }
        let slot = ReaderSlot { [self] in readers.subtract(1, ordering: .relaxed) }
        catalog.file(id, in: tenant) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let record):
                perform(id, orNotFound(id, tenant, completion)) { [self] uploads throws(FileError) in
                    DiskFileReader(record.file, try uploads.folder.open(record.blob), worker(of: id), slot)
                }
            }
        }
    }

    public func preview(
        _ id: FileID, in tenant: TenantID,
        completion: @escaping FileCompletion<(file: StoredFile, bytes: [UInt8])>
    ) {
        let completion = reporting(completion)
        catalog.file(id, in: tenant) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let record):
                guard record.file.image?.hasPreview == true else { return completion(.failure(.notFound)) }
                perform(id, orNotFound(id, tenant, completion)) { uploads throws(FileError) in
                    (record.file, try uploads.folder.preview(of: record.blob))
                }
            }
        }
    }

    /// Wraps a completion for a file's bytes: missing bytes may have been removed with the file since the look-up.
    private func orNotFound<Value>(
        _ id: FileID, _ tenant: TenantID, _ completion: @escaping FileCompletion<Value>
    ) -> FileCompletion<Value> {
        { [catalog] result in
            guard case .failure(let error) = result, error.code == .unavailable else { return completion(result) }
            catalog.file(id, in: tenant) { completion($0.flatMap { _ in .failure(error) }) }
        }
    }

    public func delete(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<Void>) {
        let completion = reporting(completion)
        catalog.delete(id, in: tenant) { [self] result in
            guard case .success = result else { return completion(result) }
            collectBlobs { completion(result) }
        }
    }

    public func unused(since time: WallTime, max: Int, completion: @escaping FileCompletion<[StoredFile]>) {
        catalog.unused(since: time, max: max, completion: reporting(completion))
    }

    // MARK: Blobs

    private static let blobsMax = 100

    /// Removes the bytes that nothing uses any more.
    func collectBlobs(_ completion: @escaping @Sendable () -> Void = {}) {
        catalog.takeUnusedBlobs(max: Self.blobsMax) { [self] result in
            guard case .success(let blobs) = result, let first = blobs.first else { return completion() }
            // `tidy` finds the bytes that aren't removed because the hub ends.
            worker(of: first.origin).resume(
                FileWorker.Job(
                    run: { [self] uploads in
                        for blob in blobs { uploads.folder.remove(blob) }
                        blobs.count < Self.blobsMax ? completion() : collectBlobs(completion)
                    }, refuse: { _ in completion() }))
        }
    }
}
