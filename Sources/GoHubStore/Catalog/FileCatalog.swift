public import GoHubCore

/// The records of files, without their bytes. They are in the messages' database, so that both are backed up together.
///
/// A catalog stores rows and runs transactions; one contract suite runs on all of them. The rules are the methods of
/// this extension, the same for each.
///
/// A blob is removed when its use count is 0, and is never lost to a race: an upload *claims* the blob, which counts as
/// a use, before it moves its bytes to the blob's place. A removal deletes the row first, in one transaction with the
/// check of its count, and the bytes afterwards.
public protocol FileCatalog: Sendable {
    /// Runs a body as one transaction: completely, or not at all when it throws. No other transaction on the same rows
    /// runs at the same time, on any node.
    ///
    /// - Parameter body: may run more than once, and refuses before it changes anything.
    func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>)

    /// Runs a body that changes nothing and doesn't wait for writers. Each of its reads sees the newest committed rows.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (any FileTables) throws(FileError) -> Value,
        completion: @escaping FileCompletion<Value>)
}

extension FileCatalog {
    // MARK: Uploads

    /// Adds an upload. If the owner's command is known, returns its upload or its file instead.
    ///
    /// Errors: `conflict` if the command is known with another name, size or hash, or for an unfinished upload another
    /// type; `tooLarge`, `uploadsQuota`, `userQuota`, `tenantQuota`.
    ///
    /// - Parameter id: the id of a new upload.
    public func begin(
        _ request: Upload.Request, id: FileID, quotas: FileQuotas, now: WallTime,
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

    /// Finds an upload of a user, or the file that it has become, and postpones the upload's expiry.
    ///
    /// Errors: `notFound`, also for another user's upload.
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

    /// Counts an upload as a use of the blob with its content, which is created if it doesn't exist. A repetition
    /// returns the same blob.
    ///
    /// Errors: `notFound`; `unavailable` if the upload has claimed other content.
    public func claim(_ hash: ContentHash, for id: FileID, completion: @escaping FileCompletion<BlobID>) {
        transaction(
            { tables throws(FileError) in
                guard var upload = try tables.upload(id) else {
                    // It is a file already, but the caller doesn't know.
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

    /// Turns an upload into a file, which takes over its use of the blob. A repetition returns the file.
    ///
    /// Errors: `notFound`, also for an upload without a claim.
    ///
    /// - Parameter image: the properties of an image, as far as known.
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

    /// Removes an upload and its claim.
    ///
    /// Errors: `notFound`, also if the owner or the time doesn't fit.
    ///
    /// - Parameters:
    ///   - owner: the required owner; `nil` for any.
    ///   - time: the upload must be untouched since this time; `nil` for any upload.
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

    /// Uploads that are untouched since a time, oldest first.
    public func uploads(
        untouchedSince time: WallTime, max: Int, completion: @escaping FileCompletion<[UploadRecord]>
    ) {
        read(
            { tables throws(FileError) in try tables.uploads(untouchedSince: time, max: max) }, completion: completion)
    }

    /// Records that an upload has grown. Does nothing if it doesn't exist.
    public func touch(_ id: FileID, at time: WallTime, completion: @escaping FileCompletion<Void>) {
        transaction(
            { tables throws(FileError) in
                guard var upload = try tables.upload(id) else { return }
                upload.touchedAt = max(upload.touchedAt, time)
                try tables.update(upload)
            }, completion: completion)
    }

    /// The given uploads that don't exist.
    public func unknownUploads(among ids: [FileID], completion: @escaping FileCompletion<[FileID]>) {
        read(
            { tables throws(FileError) in
                var unknown: [FileID] = []
                for id in ids where try tables.upload(id) == nil { unknown.append(id) }
                return unknown
            }, completion: completion)
    }

    // MARK: Files

    /// Finds a file.
    ///
    /// Errors: `notFound`, also for another tenant's file.
    public func file(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<FileRecord>) {
        read({ tables throws(FileError) in try tables.found(id, tenant) }, completion: completion)
    }

    /// Removes a file, whether messages hold it or not, and its use of the blob.
    ///
    /// Errors: `notFound`, also for another tenant's file.
    ///
    /// - Parameter onlyUnused: leaves a file that messages hold, or that doesn't exist, unchanged.
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

    /// Files that no message holds since a time, oldest first.
    public func unused(since time: WallTime, max: Int, completion: @escaping FileCompletion<[StoredFile]>) {
        read(
            { tables throws(FileError) in try tables.files(unusedSince: time, max: max).map(\.file) },
            completion: completion)
    }

    // MARK: Blobs

    /// Removes unused blobs and returns their ids: the caller must remove their bytes.
    public func takeUnusedBlobs(max: Int, completion: @escaping FileCompletion<[BlobID]>) {
        transaction({ tables throws(FileError) in try tables.removeUnusedBlobs(max: max) }, completion: completion)
    }

    /// The given blobs that don't exist and never will.
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
    /// Whether a request repeats the file's own.
    fileprivate func isOf(_ request: Upload.Request) -> Bool {
        file.name == request.name && file.size == request.size && request.hash.map { $0 == file.hash } ?? true
    }
}

extension FileError {
    fileprivate static let usedID = FileError(
        .conflict, "This id belongs to another upload. Use a new id for each upload.")
    fileprivate static let damaged = FileError.unavailable(
        StoreError(.corrupt, "The bytes of an upload on disk changed after they were counted."))
}
