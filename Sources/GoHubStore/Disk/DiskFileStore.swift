public import GoHubCore
internal import Synchronization

/// Files in a folder of this machine, or of one that several machines share. What is known of them is in a `FileCatalog`.
///
/// Threads of its own read and write; neither a slow disk nor an fsync holds up a caller. What an upload's bytes come to is
/// counted while they come. With `finish` they are synced, moved to where files with this content lie, and noted in the
/// catalog, in this order: a kill at any moment leaves something that the next `resume` and `finish` carry on with.
public final class DiskFileStore: FileStore {
    public struct Options: Sendable {
        public var quotas = FileQuotas()
        /// How long an upload is kept that nobody goes on with.
        public var uploadsExpireAfter: Milliseconds = .seconds(24 * 60 * 60)
        /// How long a file is kept that no message holds; `nil` keeps it until somebody deletes it.
        public var unusedKeptFor: Milliseconds?
        /// Makes previews of images; `nil` makes none.
        public var previews: (any ImagePreviewing)?
        /// Files that are open for reading at a time; more are refused.
        public var readersMax = 256
        public var clock: @Sendable () -> WallTime = { .now() }
        /// Is told what an operator should know of, on any thread: the `detail` of an error.
        public var report: @Sendable (String) -> Void = { _ in }

        public init() {}
    }

    /// Threads. A disk does some things at a time, and one upload's sync must not be all others' wait.
    private static let lanesCount = 4

    let folder: FileFolder
    let catalog: any FileCatalog
    let options: Options
    private let lanes: [FileLane]
    private let readers = Atomic(0)
    /// Which part of the blobs is looked through next. Any first: a hub that is often started comes to all of them, too.
    let nextDigits = Atomic(Int.random(in: 0...0xFF))

    /// - Parameter path: is made if it isn't there; what it is in must be.
    public convenience init(path: String, catalog: any FileCatalog, options: Options = Options()) throws(StoreError) {
        try self.init(FileFolder(path), catalog: catalog, options: options)
    }

    init(_ folder: FileFolder, catalog: any FileCatalog, options: Options) throws(StoreError) {
        self.folder = folder
        self.catalog = catalog
        self.options = options
        var lanes: [FileLane] = []
        for index in 0..<Self.lanesCount { lanes.append(try FileLane(index, folder)) }
        self.lanes = lanes
    }

    /// Takes nothing new, answers all that waits, and returns when the threads have ended. The catalog is closed after it.
    public func close() async {
        for lane in lanes { await lane.close() }
    }

    /// Does something that may block, on one of the threads.
    ///
    /// - Returns: `nil` when the store is closed.
    func blocking<Value: Sendable>(_ body: @escaping @Sendable (FileFolder) -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            lanes[0].goOn(
                FileLane.Job(
                    run: { continuation.resume(returning: body($0.folder)) },
                    refuse: { _ in continuation.resume(returning: nil) }))
        }
    }

    func lane(of id: FileID) -> FileLane { lanes[Int(UInt(bitPattern: id.hashValue) % UInt(lanes.count))] }

    /// A completion that tells the operator what the client isn't told.
    private func noting<Value>(_ completion: @escaping FileCompletion<Value>) -> FileCompletion<Value> {
        { [options] result in
            if case .failure(let error) = result, let detail = error.detail { options.report(detail) }
            completion(result)
        }
    }

    /// Does something on an upload's lane.
    private func perform<Value>(
        _ id: FileID, _ completion: @escaping FileCompletion<Value>,
        _ body: @escaping @Sendable (FileUploads) throws(FileError) -> Value
    ) {
        lane(of: id).add(Self.job(completion, body))
    }

    private static func job<Value>(
        _ completion: @escaping FileCompletion<Value>,
        _ body: @escaping @Sendable (FileUploads) throws(FileError) -> Value
    ) -> FileLane.Job {
        FileLane.Job(
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
        let completion = noting(completion)
        catalog.begin(request, id: .random(), quotas: options.quotas, now: options.clock()) { [self] in
            takeUp($0, completion)
        }
    }

    public func resume(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<UploadState>) {
        let completion = noting(completion)
        catalog.resume(id, by: owner, now: options.clock()) { [self] in takeUp($0, completion) }
    }

    private func takeUp(_ result: Result<CatalogEntry, FileError>, _ completion: @escaping FileCompletion<UploadState>)
    {
        switch result {
        case .failure(let error): completion(.failure(error))
        case .success(.file(let record)): completion(.success(.finished(record.file)))
        case .success(.upload(let record)):
            let expiresAt = record.touchedAt.after(options.uploadsExpireAfter)
            perform(record.id, completion) { [self] uploads throws(FileError) in
                let state = try uploads.takeUp(record, expiresAt: expiresAt)
                hash(record.id, uploads)
                return state
            }
        }
    }

    public func write(
        _ bytes: [UInt8], at offset: UInt64, with lease: UploadLease, completion: @escaping FileCompletion<UInt64>
    ) {
        let job = Self.job(noting(completion)) { uploads throws(FileError) in
            try uploads.write(bytes, at: offset, lease)
        }
        lane(of: lease.id).goOn(job)
    }

    public func release(_ lease: UploadLease) {
        lane(of: lease.id).goOn(FileLane.Job(run: { $0.release(lease) }, refuse: { _ in }))
    }

    public func cancel(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<Void>) {
        let completion = noting(completion)
        catalog.cancel(id, by: owner) { [self] result in
            guard case .success = result else { return completion(result) }
            remove(id) { completion(.success(())) }
        }
    }

    /// Removes an upload that the catalog doesn't have any more, and what it was to become.
    ///
    /// - Parameter error: for who waits for its end.
    func remove(_ id: FileID, _ error: FileError = .notFound, _ completion: @escaping @Sendable () -> Void) {
        lane(of: id).goOn(
            FileLane.Job(
                run: { [self] uploads in
                    uploads.remove(id, error)
                    collectBlobs()
                    completion()
                }, refuse: { _ in completion() }))
    }

    // MARK: Finishing

    public func finish(_ lease: UploadLease, completion: @escaping FileCompletion<StoredFile>) {
        let completion = noting(completion)
        let job = FileLane.Job(
            run: { [self] uploads in
                do throws(FileError) {
                    let entry = try uploads.leased(lease)
                    guard entry.offset == entry.record.request.size else {
                        throw FileError(
                            .sizeMismatch,
                            "The upload has \(entry.offset) of its \(entry.record.request.size) bytes; send the rest.")
                    }
                    entry.finish = completion
                    // What is still being hashed goes on by itself, and comes back here.
                    if !entry.isHashing { hashed(entry, uploads) }
                } catch {
                    completion(.failure(error))
                }
            }, refuse: { completion(.failure($0)) })
        lane(of: lease.id).add(job)
    }

    /// Reads again what was stored by another run of the hub, a part at a time.
    private func hash(_ id: FileID, _ uploads: FileUploads) {
        guard let entry = uploads[id], !entry.isHashing else { return }
        guard entry.file != nil, !entry.isMoved, entry.hashed < entry.offset else { return hashed(entry, uploads) }
        entry.isHashing = true
        let job = FileLane.Job(
            run: { [self] uploads in
                // The same one: it may have ended and begun anew meanwhile.
                guard let entry = uploads[id], entry.isHashing else { return }
                entry.isHashing = false
                do throws(FileError) {
                    let hasMore = try uploads.hashStored(entry)
                    hasMore ? hash(id, uploads) : hashed(entry, uploads)
                } catch {
                    uploads.fail(entry, error)
                }
            },
            // With the lane's end who waits is told.
            refuse: { _ in })
        lane(of: id).goOn(job)
    }

    /// All that is stored is hashed; if all is stored and somebody waits for it, it becomes a file.
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
                return giveUp(
                    entry, FileError(.hashMismatch, "The bytes don't come to the hash that was promised; begin anew."))
            }
            if !entry.isMoved {
                do throws(FileError) {
                    try file.sync()
                } catch {
                    uploads.lose(entry, error)
                    return
                }
            }
            look(at: entry, hash, type)
        } catch {
            uploads.fail(entry, error)
        }
    }

    /// Has a preview made of an image, so that whoever hears of the file knows its size.
    private func look(at entry: FileUploads.Entry, _ hash: ContentHash, _ type: FileType) {
        let (id, place) = (entry.record.id, entry.isMoved ? entry.record.claim : nil)
        let user = UserKey(tenant: entry.record.request.room.tenant, user: entry.record.request.owner)
        guard let previews = options.previews, let format = ImageFormat(type),
            let file = try? place.map({ blob throws(FileError) in try folder.open(blob) }) ?? folder.openToRead(id)
        else { return claim(id, hash, type, nil) }
        Task {
            let preview = try? await previews.preview(of: file.descriptor, format: format, for: user).get()
            // The file is open until here.
            withExtendedLifetime(file) {}
            claim(id, hash, type, preview)
        }
    }

    private func claim(_ id: FileID, _ hash: ContentHash, _ type: FileType, _ preview: ImagePreview?) {
        catalog.claim(hash, for: id) { [self] result in
            goOn(id, result) { [self] uploads, entry, blob throws(FileError) in
                if !entry.isMoved { try uploads.folder.move(id, to: blob, size: entry.offset) }
                try uploads.folder.settle(blob)
                entry.record.claim = blob
                entry.isMoved = true
                note(id, type, preview.map { keep($0, of: blob, for: id) })
            }
        }
    }

    /// Stores a preview. A file is as good without one, so that a failure is the operator's to know alone.
    private func keep(_ preview: ImagePreview, of blob: BlobID, for id: FileID) -> ImageProperties {
        var image = ImageProperties(
            width: preview.width, height: preview.height, placeholder: preview.placeholder, hasPreview: true)
        do throws(FileError) {
            try folder.keepPreview(preview.webp, of: blob, for: id)
        } catch {
            options.report("a preview was not kept: \(error.detail ?? error.message)")
            image.hasPreview = false
        }
        return image
    }

    private func note(_ id: FileID, _ type: FileType, _ image: ImageProperties?) {
        catalog.finish(id, as: type, image: image, now: options.clock()) { [self] result in
            goOn(id, result) { uploads, entry, record in uploads.finish(entry, as: record.file) }
        }
    }

    /// Goes on with a finish on its lane, when the catalog has answered.
    private func goOn<Value: Sendable>(
        _ id: FileID, _ result: Result<Value, FileError>,
        _ body: @escaping @Sendable (FileUploads, FileUploads.Entry, Value) throws(FileError) -> Void
    ) {
        let job = FileLane.Job(
            run: { uploads in
                // Cancelled meanwhile: who did has removed it.
                guard let entry = uploads[id], entry.isFinishing else { return }
                do throws(FileError) {
                    try body(uploads, entry, try result.get())
                } catch {
                    uploads.fail(entry, error)
                }
            },
            // With the lane's end who waits is told.
            refuse: { _ in })
        lane(of: id).goOn(job)
    }

    /// It can't become a file: nothing of it is left.
    private func giveUp(_ entry: FileUploads.Entry, _ error: FileError) {
        let id = entry.record.id
        catalog.cancel(id) { [self] result in
            switch result {
            case .success: remove(id, error) {}
            // It is still there, to be ended another time.
            case .failure(let failure): goOn(id, Result<Void, FileError>.failure(failure)) { _, _, _ in }
            }
        }
    }

    // MARK: Files

    public func file(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<StoredFile>) {
        let completion = noting(completion)
        catalog.file(id, in: tenant) { result in completion(result.map(\.file)) }
    }

    public func open(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<any FileReader>) {
        let completion = noting(completion)
        guard readers.add(1, ordering: .relaxed).newValue <= options.readersMax else {
            readers.subtract(1, ordering: .relaxed)
            return completion(.failure(.busy))
        }
        let place = ReaderPlace { [self] in readers.subtract(1, ordering: .relaxed) }
        catalog.file(id, in: tenant) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let record):
                perform(id, orGone(id, tenant, completion)) { [self] uploads throws(FileError) in
                    DiskFileReader(record.file, try uploads.folder.open(record.blob), lane(of: id), place)
                }
            }
        }
    }

    public func preview(
        _ id: FileID, in tenant: TenantID,
        completion: @escaping FileCompletion<(file: StoredFile, bytes: [UInt8])>
    ) {
        let completion = noting(completion)
        catalog.file(id, in: tenant) { [self] result in
            switch result {
            case .failure(let error): completion(.failure(error))
            case .success(let record):
                guard record.file.image?.hasPreview == true else { return completion(.failure(.notFound)) }
                perform(id, orGone(id, tenant, completion)) { uploads throws(FileError) in
                    (record.file, try uploads.folder.preview(of: record.blob))
                }
            }
        }
    }

    /// A completion for a file's bytes: those that aren't there may have gone with the file since it was looked up.
    private func orGone<Value>(
        _ id: FileID, _ tenant: TenantID, _ completion: @escaping FileCompletion<Value>
    ) -> FileCompletion<Value> {
        { [catalog] result in
            guard case .failure(let error) = result, error.code == .unavailable else { return completion(result) }
            catalog.file(id, in: tenant) { completion($0.flatMap { _ in .failure(error) }) }
        }
    }

    public func delete(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<Void>) {
        let completion = noting(completion)
        catalog.delete(id, in: tenant) { [self] result in
            guard case .success = result else { return completion(result) }
            collectBlobs { completion(result) }
        }
    }

    public func unused(since time: WallTime, max: Int, completion: @escaping FileCompletion<[StoredFile]>) {
        catalog.unused(since: time, max: max, completion: noting(completion))
    }

    // MARK: Blobs

    private static let blobsMax = 100

    /// Removes the bytes that nothing uses any more.
    func collectBlobs(_ completion: @escaping @Sendable () -> Void = {}) {
        catalog.takeUnusedBlobs(max: Self.blobsMax) { [self] result in
            guard case .success(let blobs) = result, let first = blobs.first else { return completion() }
            // Those that aren't removed because the hub ends are found by `tidy`.
            lane(of: first.origin).goOn(
                FileLane.Job(
                    run: { [self] uploads in
                        for blob in blobs { uploads.folder.remove(blob) }
                        blobs.count < Self.blobsMax ? completion() : collectBlobs(completion)
                    }, refuse: { _ in completion() }))
        }
    }
}
