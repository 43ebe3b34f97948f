public import GoHubCore
internal import Synchronization

/// Files in a folder of this machine, or in one shared by several machines. Their records are in a `FileCatalog`.
///
/// Dedicated threads read and write; neither a slow disk nor an fsync blocks a caller. The hash of an upload is
/// computed while its bytes arrive. `finish` syncs the bytes, moves them to the place for this content, and records the
/// file in the catalog, in this order: a crash at any point leaves a state that the next `resume` and `finish` continue
/// from.
public final class DiskFileStore: FileStore {
    public struct Options: Sendable {
        public var quotas = FileQuotas()
        /// The time after which an upload without progress expires.
        public var uploadsExpireAfter: Milliseconds = .seconds(24 * 60 * 60)
        /// The time after which a file without a message is removed; `nil` keeps it until it is deleted.
        public var unusedKeptFor: Milliseconds?
        /// Makes previews of images; `nil` makes none.
        public var previews: (any ImagePreviewing)?
        /// The maximum number of files open for reading; further ones are refused.
        public var readersMax = 256
        public var clock: @Sendable () -> WallTime = { .now() }
        /// Reports the `detail` of errors to the operator, on any thread.
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

    /// - Parameter path: created if it doesn't exist; its parent directory must exist.
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

    /// A completion that reports details to the operator that the client doesn't receive.
    private func reporting<Value>(_ completion: @escaping FileCompletion<Value>) -> FileCompletion<Value> {
        { [options] result in
            if case .failure(let error) = result, let detail = error.detail { options.report(detail) }
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

    public func begin(_ request: UploadRequest, completion: @escaping FileCompletion<UploadState>) {
        let completion = reporting(completion)
        catalog.begin(request, id: .random(), quotas: options.quotas, now: options.clock()) { [self] in
            acquire($0, completion)
        }
    }

    public func resume(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<UploadState>) {
        let completion = reporting(completion)
        catalog.resume(id, by: owner, now: options.clock()) { [self] in acquire($0, completion) }
    }

    private func acquire(_ result: Result<CatalogEntry, FileError>, _ completion: @escaping FileCompletion<UploadState>)
    {
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
        _ bytes: [UInt8], at offset: UInt64, with lease: UploadLease, completion: @escaping FileCompletion<UInt64>
    ) {
        let job = Self.job(reporting(completion)) { uploads throws(FileError) in
            try uploads.write(bytes, at: offset, lease)
        }
        worker(of: lease.id).resume(job)
    }

    public func release(_ lease: UploadLease) {
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

    // MARK: Finishing

    public func finish(_ lease: UploadLease, completion: @escaping FileCompletion<StoredFile>) {
        let completion = reporting(completion)
        let job = FileWorker.Job(
            run: { [self] uploads in
                do throws(FileError) {
                    let entry = try uploads.leased(lease)
                    guard entry.offset == entry.record.request.size else {
                        throw FileError(
                            .sizeMismatch,
                            "The upload has \(entry.offset) of its \(entry.record.request.size) bytes. Send the rest.")
                    }
                    entry.finish = completion
                    // Hashing in progress continues by itself and returns here.
                    if !entry.isHashing { hashed(entry, uploads) }
                } catch {
                    completion(.failure(error))
                }
            }, refuse: { completion(.failure($0)) })
        worker(of: lease.id).add(job)
    }

    /// Hashes the bytes stored by an earlier run of the hub, part by part.
    private func hash(_ id: FileID, _ uploads: FileUploads) {
        guard let entry = uploads[id], !entry.isHashing else { return }
        guard entry.file != nil, !entry.isMoved, entry.hashed < entry.offset else { return hashed(entry, uploads) }
        entry.isHashing = true
        let job = FileWorker.Job(
            run: { [self] uploads in
                // It must be the same entry: the upload may have ended and restarted since.
                guard let entry = uploads[id], entry.isHashing else { return }
                entry.isHashing = false
                do throws(FileError) {
                    let hasMore = try uploads.hashStored(entry)
                    hasMore ? hash(id, uploads) : hashed(entry, uploads)
                } catch {
                    uploads.fail(entry, error)
                }
            },
            // The end of the lane answers the waiting request.
            refuse: { _ in })
        worker(of: id).resume(job)
    }

    /// Called when all stored bytes are hashed; if they are complete and a request waits, the upload becomes a file.
    private func hashed(_ entry: FileUploads.Entry, _ uploads: FileUploads) {
        guard entry.isFinishing else { return }
        guard entry.isMoved || entry.hashed == entry.offset else { return hash(entry.record.id, uploads) }
        do throws(FileError) {
            guard let file = entry.file else { throw .superseded }
            let type = FileType(
                ofBeginning: try file.read(at: 0, bytesMax: FileType.beginningBytes),
                isWhole: entry.record.request.size <= UInt64(FileType.beginningBytes))
            let hash = try entry.wholeHash()
            if let promised = entry.record.request.hash, promised != hash {
                return abort(
                    entry,
                    FileError(
                        .hashMismatch,
                        "SHA-256 mismatch: the uploaded bytes do not match the announced hash. Start the upload again.")
                )
            }
            if !entry.isMoved {
                do throws(FileError) {
                    try file.sync()
                } catch {
                    uploads.discardCorrupt(entry, error)
                    return
                }
            }
            look(at: entry, hash, type)
        } catch {
            uploads.fail(entry, error)
        }
    }

    /// Makes the preview of an image before the file is announced, so that clients know its size.
    private func look(at entry: FileUploads.Entry, _ hash: ContentHash, _ type: FileType) {
        let (id, slot) = (entry.record.id, entry.isMoved ? entry.record.claim : nil)
        let user = UserKey(tenant: entry.record.request.room.tenant, user: entry.record.request.owner)
        guard let previews = options.previews, let format = ImageFormat(type),
            let file = try? slot.map({ blob throws(FileError) in try folder.open(blob) }) ?? folder.openToRead(id)
        else { return claim(id, hash, type, nil) }
        Task {
            let preview = try? await previews.preview(of: file.descriptor, format: format, for: user).get()
            // The file stays open until here.
            withExtendedLifetime(file) {}
            claim(id, hash, type, preview)
        }
    }

    private func claim(_ id: FileID, _ hash: ContentHash, _ type: FileType, _ preview: ImagePreview?) {
        catalog.claim(hash, for: id) { [self] result in
            resume(id, result) { [self] uploads, entry, blob throws(FileError) in
                if !entry.isMoved { try uploads.folder.move(id, to: blob, size: entry.offset) }
                try uploads.folder.syncDirectories(blob)
                entry.record.claim = blob
                entry.isMoved = true
                note(id, type, preview.map { keep($0, of: blob, for: id) })
            }
        }
    }

    /// Stores a preview. A file is complete without one, so a failure is only reported to the operator.
    private func keep(_ preview: ImagePreview, of blob: BlobID, for id: FileID) -> ImageProperties {
        var image = ImageProperties(
            width: preview.width, height: preview.height, placeholder: preview.placeholder, hasPreview: true)
        do throws(FileError) {
            try folder.keepPreview(preview.webp, of: blob, for: id)
        } catch {
            options.report("storing a preview failed: \(error.detail ?? error.message)")
            image.hasPreview = false
        }
        return image
    }

    private func note(_ id: FileID, _ type: FileType, _ image: ImageProperties?) {
        catalog.finish(id, as: type, image: image, now: options.clock()) { [self] result in
            resume(id, result) { uploads, entry, record in uploads.finish(entry, as: record.file) }
        }
    }

    /// Continues a finish on its lane when the catalog has answered.
    private func resume<Value: Sendable>(
        _ id: FileID, _ result: Result<Value, FileError>,
        _ body: @escaping @Sendable (FileUploads, FileUploads.Entry, Value) throws(FileError) -> Void
    ) {
        let job = FileWorker.Job(
            run: { uploads in
                // Cancelled since; the cancelling request has removed it.
                guard let entry = uploads[id], entry.isFinishing else { return }
                do throws(FileError) {
                    try body(uploads, entry, try result.get())
                } catch {
                    uploads.fail(entry, error)
                }
            },
            // The end of the lane answers the waiting request.
            refuse: { _ in })
        worker(of: id).resume(job)
    }

    /// Discards an upload that can't become a file.
    private func abort(_ entry: FileUploads.Entry, _ error: FileError) {
        let id = entry.record.id
        catalog.cancel(id) { [self] result in
            switch result {
            case .success: remove(id, error) {}
            // It still exists and can be ended another time.
            case .failure(let failure): resume(id, Result<Void, FileError>.failure(failure)) { _, _, _ in }
            }
        }
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
