/// The store of rooms' files. The caller checks the user's grants; the store ensures that only the owner uses an
/// upload.
///
/// Completions are closures and not `async`, for the same reason as in `MessageStore`: an event loop receives the
/// answer through its mailbox, without an unwanted thread change. A store calls each completion exactly once, on any
/// thread, in bounded time. It may refuse a request before the call returns. Blocking work runs on the store's own
/// threads.
///
/// A file is never completely in memory. Bytes go in and out in pieces, and each piece waits for the answer to the
/// previous one. So a slow disk slows down a fast client, and a slow client slows down a fast disk.
///
/// ```
/// begin ─┬─► open(upload, lease) ─► write … write ─► finish ─► StoredFile
///        └─► finished(file)            ▲
/// resume ──► the same, the lease is the next one
/// ```
public protocol FileStore: Sendable {
    /// Begins an upload, or resumes the one with the same owner, room and id.
    ///
    /// Errors: `tooLarge`, `uploadsQuota`, `userQuota`, `tenantQuota`; `conflict` for another file with a known id;
    /// `busy` as for `resume`; `diskFull`, `unavailable`.
    func begin(_ request: Upload.Request, completion: @escaping FileCompletion<Upload.State>)

    /// Resumes an upload: returns its offset and a new lease. Previous leases end.
    ///
    /// A request for the offset also uses this call, because the offset is certain only once other writers are refused.
    ///
    /// Errors: `notFound`, also for another user's upload; `busy` while it is being finished, another node has it open,
    /// or too many uploads are open; `unavailable`.
    func resume(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<Upload.State>)

    /// Stores the next bytes.
    ///
    /// - Parameters:
    ///   - bytes: 1 to 1,048,576 bytes (1 MiB). The caller has at most one write per lease in progress.
    ///   - offset: must be the number of bytes stored.
    ///   - lease: the newest one of the upload.
    ///   - completion: gets the number of bytes stored. The operating system then has them: they survive a crash of the
    ///     hub, but until `finish` not necessarily a power failure.
    ///
    /// Errors: `superseded`, `wrongOffset`, `sizeMismatch` for bytes beyond the announced size, `invalid` for another
    /// number of bytes than allowed, `diskFull`, `unavailable`.
    func write(
        _ bytes: [UInt8], at offset: UInt64, with lease: Upload.Lease, completion: @escaping FileCompletion<UInt64>)

    /// Turns a complete upload into a file. When the completion is called, the file is durable, and an image has its
    /// preview if one could be made.
    ///
    /// Errors: `sizeMismatch` while bytes are missing; `hashMismatch`, which removes the upload; `superseded`, `busy`,
    /// `diskFull`, `unavailable`. After one of the last three, repeating the request is safe.
    func finish(_ lease: Upload.Lease, completion: @escaping FileCompletion<StoredFile>)

    /// Releases a lease without an answer when its connection has ended. The upload stays, and its resources are freed.
    func release(_ lease: Upload.Lease)

    /// Ends an upload and removes its bytes. Its leases are refused from then on.
    ///
    /// Errors: `notFound`, also for a finished upload and another user's; `unavailable`.
    func cancel(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<Void>)

    /// Gets the description of a file.
    ///
    /// Errors: `notFound`, also for another tenant's file; `unavailable`.
    func file(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<StoredFile>)

    /// Opens a file for reading. It stays readable to its end even if it is deleted.
    ///
    /// Errors: `notFound`, `busy` when too many files are open, `unavailable`.
    func open(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<any FileReader>)

    /// The preview of an image: a WebP file (RFC 9649) of at most 65,536 bytes.
    ///
    /// Errors: `notFound`, also if the file has no preview; `busy`, `unavailable`.
    func preview(
        _ id: FileID, in tenant: TenantID,
        completion: @escaping FileCompletion<(file: StoredFile, bytes: [UInt8])>)

    /// Deletes a file. Its bytes are removed when no other file has the same bytes.
    ///
    /// Errors: `notFound`, also for another tenant's file; `unavailable`.
    func delete(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<Void>)

    /// Files without a message since `time`, oldest first, at most `max`. They may be collected.
    ///
    /// Errors: `unavailable`.
    func unused(since time: WallTime, max: Int, completion: @escaping FileCompletion<[StoredFile]>)
}

/// An open file. Closed when the last reference ends.
public protocol FileReader: Sendable {
    /// The description of the file at the time of opening.
    var file: StoredFile { get }

    /// Reads a piece.
    ///
    /// Errors: `invalid` for a `bytesMax` below 1; `unavailable`.
    ///
    /// - Parameters:
    ///   - offset: the offset of its first byte; beyond the end the piece is empty.
    ///   - bytesMax: at least 1. At most 1,048,576 bytes (1 MiB) are returned.
    ///   - completion: gets at least one byte unless the offset is beyond the end.
    func read(at offset: UInt64, bytesMax: Int, completion: @escaping FileCompletion<[UInt8]>)
}

/// Receives the answer of a file store, exactly once and on any thread.
public typealias FileCompletion<Value> = @Sendable (Result<Value, FileError>) -> Void
