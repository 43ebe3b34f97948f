/// Where the files of rooms live. Who may do what with one is the caller's to know, from grants; that an upload is its
/// owner's alone, the store sees to.
///
/// The completions are functions and not `async`, for the reason that `MessageStore`'s are: an event loop that asks gets the
/// answer through its mailbox, without a thread change that it didn't choose. A store calls each completion exactly once,
/// from whatever thread, in bounded time; what it refuses, perhaps before the call has returned. Blocking work is done on
/// threads of its own.
///
/// Nothing is ever whole in memory. Bytes go in and out in pieces, and each waits for the answer to the one before it: that
/// is how a slow disk holds up a fast client, and a slow client a fast disk.
///
/// ```
/// begin ─┬─► open(upload, lease) ─► write … write ─► finish ─► StoredFile
///        └─► finished(file)            ▲
/// resume ──► the same, the lease is the next one
/// ```
public protocol FileStore: Sendable {
    /// Begins an upload, or finds the one that was begun with the same owner, room and id, and takes it up.
    ///
    /// Errors: `tooLarge`, `userQuota`, `tenantQuota`; `conflict` for another file under a known id; `diskFull`.
    func begin(_ request: UploadRequest, completion: @escaping FileCompletion<UploadState>)

    /// Takes an upload up: where it stands, and the right to go on. Former leases end with it.
    ///
    /// Also what asks for the offset: only when whoever might still write is refused is it certain to stay.
    ///
    /// Errors: `notFound`, for another user's upload as well; `busy` while another node has it open.
    func resume(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<UploadState>)

    /// Stores the next bytes.
    ///
    /// - Parameters:
    ///   - bytes: at least 1, at most `FilePiece.bytesMax`. The caller has one write of a lease under way at a time.
    ///   - offset: where they belong: at the end of what is stored.
    ///   - completion: gets how many bytes are stored, by then in the system's keeping: a kill of the hub doesn't lose
    ///     them, a loss of power may, until `finish`.
    ///
    /// Errors: `superseded`, `wrongOffset`, `sizeMismatch` for bytes beyond the promised size, `diskFull`, `unavailable`.
    func write(
        _ bytes: [UInt8], at offset: UInt64, with lease: UploadLease, completion: @escaping FileCompletion<UInt64>)

    /// Makes a file of an upload whose bytes are all there. With the answer it is on the disk for good, and an image has its
    /// preview, if one could be made.
    ///
    /// Errors: `sizeMismatch` while bytes are missing; `hashMismatch`, with which the upload is gone; `superseded`,
    /// `diskFull`, `unavailable`. After one of the last two the same again is safe.
    func finish(_ lease: UploadLease, completion: @escaping FileCompletion<StoredFile>)

    /// Gives a lease back without an answer, when its connection is gone: the upload stays, and lets go of what it holds.
    func release(_ lease: UploadLease)

    /// Ends an upload and removes its bytes. What holds a lease of it is refused from then on.
    ///
    /// Errors: `notFound`, also when it was finished.
    func cancel(_ id: FileID, by owner: UserKey, completion: @escaping FileCompletion<Void>)

    /// Errors: `notFound`, for another tenant's file as well.
    func file(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<StoredFile>)

    /// Opens a file for reading. It can be read to its end even when it is deleted meanwhile.
    ///
    /// Errors: `notFound`, `busy` when too many are open, `unavailable`.
    func open(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<any FileReader>)

    /// The small picture of an image (`ImagePreview.webp`).
    ///
    /// Errors: `notFound`, also when the file has none.
    func preview(
        _ id: FileID, in tenant: TenantID,
        completion: @escaping FileCompletion<(file: StoredFile, bytes: [UInt8])>)

    /// Deletes a file; its bytes go when no other file has the same.
    ///
    /// Errors: `notFound`.
    func delete(_ id: FileID, in tenant: TenantID, completion: @escaping FileCompletion<Void>)

    /// Files that no message has held since a time, the oldest first: what may be collected.
    func unused(since time: WallTime, max: Int, completion: @escaping FileCompletion<[StoredFile]>)
}

/// An open file. Closed when nobody has it any more.
public protocol FileReader: Sendable {
    var file: StoredFile { get }

    /// Reads a piece.
    ///
    /// - Parameters:
    ///   - offset: of its first byte; behind the last one the piece is empty.
    ///   - bytesMax: at least 1, and no more than `FilePiece.bytesMax` is ever given.
    ///   - completion: gets at least one byte where there is one.
    func read(at offset: UInt64, bytesMax: Int, completion: @escaping FileCompletion<[UInt8]>)
}

public typealias FileCompletion<Value> = @Sendable (Result<Value, FileError>) -> Void
