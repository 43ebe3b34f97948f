public import GoHubCore

/// What is known of files beside their bytes: in the database that has the messages, so that both are backed up as one.
///
/// A catalog is where rows are kept and transactions are made; one contract suite runs on all of them. The rules are
/// the methods of this extension, the same for each.
///
/// A blob goes from the disk when its count of uses is 0, and is never lost to a race: an upload *claims* the blob,
/// which counts as a use, before it moves its bytes to the blob's place. Who removes takes the row first, in one
/// transaction with the look at its count, and the bytes after it.
public protocol FileCatalog: Sendable {
    /// Runs a body as one transaction: all of it, or, when it throws, nothing. No other runs on the same rows
    /// meanwhile, on no node.
    ///
    /// - Parameter body: may run more than once, and refuses before it changes anything.
    func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>)

    /// Runs a body that changes nothing, and waits for nobody who does. Each of its looks sees what is there by then.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>)
}

extension FileCatalog {
    // MARK: Uploads

    /// Adds an upload, unless the owner's command is known: then its upload, or its file.
    ///
    /// - Parameter id: for a new one.
    public func begin(
        _ request: UploadRequest, id: FileID, quotas: FileQuotas, now: WallTime,
        completion: @escaping FileCompletion<CatalogEntry>
    ) {
        transaction(
            { tables throws(FileError) in
                if let file = try tables.file(request.key) {
                    guard file.isOf(request) else { throw .usedID }
                    return .file(file)
                }
                if var upload = try tables.upload(request.key) {
                    guard upload.request == request else { throw .usedID }
                    upload.touchedAt = now
                    try tables.update(upload)
                    return .upload(upload)
                }
                let user = try tables.usage(of: request.owner, in: request.room.tenant)
                let tenant = try tables.usage(of: nil, in: request.room.tenant)
                if let refusal = quotas.refusal(of: request.size, user: user, tenant: tenant) { throw refusal }
                let upload = UploadRecord(id: id, request: request, touchedAt: now)
                try tables.add(upload)
                try tables.addUsage(bytes: FileQuotas.bytes(for: request.size), uploads: 1, of: request.ownerKey)
                return .upload(upload)
            }, completion: completion)
    }

    /// Finds an upload of a user's, or the file that it has become, and notes that it is of interest.
    public func resume(
        _ id: FileID, by owner: UserKey, now: WallTime, completion: @escaping FileCompletion<CatalogEntry>
    ) {
        transaction(
            { tables throws(FileError) in
                if var upload = try tables.upload(id), upload.request.ownerKey == owner {
                    upload.touchedAt = now
                    try tables.update(upload)
                    return .upload(upload)
                }
                guard let file = try tables.file(id), file.file.ownerKey == owner else { throw .notFound }
                return .file(file)
            }, completion: completion)
    }

    /// Counts an upload as a use of the blob that its bytes are, which is made if it isn't there. The same again is the
    /// same blob.
    public func claim(_ hash: ContentHash, for id: FileID, completion: @escaping FileCompletion<BlobID>) {
        transaction(
            { tables throws(FileError) in
                guard var upload = try tables.upload(id) else {
                    // It is a file already, and whoever made it one hasn't heard of it.
                    guard let file = try tables.file(id), file.blob.hash == hash else { throw .notFound }
                    return file.blob
                }
                if let claim = upload.claim {
                    guard claim.hash == hash else { throw .damaged }
                    return claim
                }
                let known = try tables.blob(hash)
                let blob = known ?? BlobID(hash: hash, origin: id)
                if known == nil { try tables.add(blob) }
                try tables.addUses(1, of: blob)
                upload.claim = blob
                try tables.update(upload)
                return blob
            }, completion: completion)
    }

    /// Makes a file of an upload, which hands on its use of the blob. The same again finds the file.
    ///
    /// - Parameter image: what was found out about one.
    public func finish(
        _ id: FileID, as type: FileType, image: ImageProperties? = nil, now: WallTime,
        completion: @escaping FileCompletion<FileRecord>
    ) {
        transaction(
            { tables throws(FileError) in
                if let file = try tables.file(id) { return file }
                guard let upload = try tables.upload(id), let claim = upload.claim else { throw .notFound }
                let request = upload.request
                let record = FileRecord(
                    file: StoredFile(
                        id: id, room: request.room, owner: request.owner, name: request.name, type: type,
                        size: request.size, hash: claim.hash, createdAt: now, image: image),
                    command: request.id, blob: claim, uses: 0, unusedSince: now)
                try tables.removeUpload(id)
                try tables.add(record)
                try tables.addUsage(bytes: 0, uploads: -1, of: request.ownerKey)
                return record
            }, completion: completion)
    }

    /// Removes an upload, and gives its claim back.
    ///
    /// - Parameters:
    ///   - owner: whose it must be; `nil` for anybody's.
    ///   - time: since when nobody may have touched it; `nil` for whenever.
    public func cancel(
        _ id: FileID, by owner: UserKey? = nil, untouchedSince time: WallTime? = nil,
        completion: @escaping FileCompletion<Void>
    ) {
        transaction(
            { tables throws(FileError) in
                guard let upload = try tables.upload(id), owner.map({ $0 == upload.request.ownerKey }) ?? true,
                    time.map({ upload.touchedAt <= $0 }) ?? true
                else { throw .notFound }
                try tables.removeUpload(id)
                try tables.addUsage(
                    bytes: -FileQuotas.bytes(for: upload.request.size), uploads: -1, of: upload.request.ownerKey)
                if let claim = upload.claim { try tables.addUses(-1, of: claim) }
            }, completion: completion)
    }

    /// Uploads that nobody has touched since, the oldest first.
    public func uploads(
        untouchedSince time: WallTime, max: Int, completion: @escaping FileCompletion<[UploadRecord]>
    ) {
        read(
            { tables throws(FileError) in try tables.uploads(untouchedSince: time, max: max) }, completion: completion)
    }

    /// Notes that an upload has grown.
    public func touch(_ id: FileID, at time: WallTime, completion: @escaping FileCompletion<Void>) {
        transaction(
            { tables throws(FileError) in
                guard var upload = try tables.upload(id) else { return }
                upload.touchedAt = max(upload.touchedAt, time)
                try tables.update(upload)
            }, completion: completion)
    }

    /// Which of some uploads aren't there.
    public func unknownUploads(among ids: [FileID], completion: @escaping FileCompletion<[FileID]>) {
        read(
            { tables throws(FileError) in
                var unknown: [FileID] = []
                for id in ids where try tables.upload(id) == nil { unknown.append(id) }
                return unknown
            }, completion: completion)
    }

    // MARK: Files

    public func file(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<FileRecord>) {
        read({ tables throws(FileError) in try tables.found(id, tenant) }, completion: completion)
    }

    /// Removes a file, whether messages hold it or not, and its use of the blob.
    ///
    /// - Parameter onlyUnused: leaves one that is held, or isn't there, as it is.
    public func delete(
        _ id: FileID, in tenant: TenantID, onlyUnused: Bool = false, completion: @escaping FileCompletion<Void>
    ) {
        transaction(
            { tables throws(FileError) in
                let record: FileRecord
                do throws(FileError) {
                    record = try tables.found(id, tenant)
                } catch {
                    if onlyUnused, error.code == .notFound { return }
                    throw error
                }
                if onlyUnused, record.uses > 0 { return }
                try tables.removeFile(id)
                try tables.addUsage(
                    bytes: -FileQuotas.bytes(for: record.file.size), uploads: 0, of: record.file.ownerKey)
                try tables.addUses(-1, of: record.blob)
            }, completion: completion)
    }

    public func unused(since time: WallTime, max: Int, completion: @escaping FileCompletion<[StoredFile]>) {
        read(
            { tables throws(FileError) in try tables.files(unusedSince: time, max: max).map(\.file) },
            completion: completion)
    }

    // MARK: Blobs

    /// Forgets blobs that nothing uses, and tells which: their bytes are the caller's to remove.
    public func takeUnusedBlobs(max: Int, completion: @escaping FileCompletion<[BlobID]>) {
        transaction({ tables throws(FileError) in try tables.removeUnusedBlobs(max: max) }, completion: completion)
    }

    /// Which of some blobs aren't there, and will never be.
    public func unknownBlobs(among ids: [BlobID], completion: @escaping FileCompletion<[BlobID]>) {
        read(
            { tables throws(FileError) in
                var unknown: [BlobID] = []
                for id in ids where try !tables.isKnown(id) { unknown.append(id) }
                return unknown
            }, completion: completion)
    }
}

extension FileTables {
    fileprivate func found(_ id: FileID, _ tenant: TenantID) throws(FileError) -> FileRecord {
        guard let file = try file(id), file.file.room.tenant == tenant else { throw .notFound }
        return file
    }
}

extension FileRecord {
    /// Whether a request is a repeat of the one that it was made of.
    fileprivate func isOf(_ request: UploadRequest) -> Bool {
        file.name == request.name && file.size == request.size && request.hash.map { $0 == file.hash } ?? true
    }
}

extension FileError {
    fileprivate static let usedID = FileError(
        .conflict, "This id belongs to another upload. Use a new id for each upload.")
    fileprivate static let damaged = FileError.unavailable(
        "an upload's bytes on disk changed after they were counted")
}
