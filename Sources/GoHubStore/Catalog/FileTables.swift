public import GoHubCore

/// The rows of uploads, files and blobs inside one transaction. Belongs to the thread that runs it.
///
/// Only rows: what may be done with them is decided once for all catalogs, in `FileCatalog`. Each method throws what
/// `FileError.unavailable` is for, with the reason as `detail`, and the transaction is then undone.
public protocol FileTables: AnyObject {
    // MARK: Uploads

    func upload(_ id: FileID) throws(FileError) -> UploadRecord?
    func upload(_ key: UploadKey) throws(FileError) -> UploadRecord?
    func add(_ upload: UploadRecord) throws(FileError)
    /// Sets `touchedAt` and `claim`.
    func update(_ upload: UploadRecord) throws(FileError)
    func removeUpload(_ id: FileID) throws(FileError)
    /// Those that nobody has touched since, the oldest first.
    func uploads(untouchedSince time: WallTime, max: Int) throws(FileError) -> [UploadRecord]

    // MARK: Files

    func file(_ id: FileID) throws(FileError) -> FileRecord?
    func file(_ key: UploadKey) throws(FileError) -> FileRecord?
    func add(_ file: FileRecord) throws(FileError)
    func removeFile(_ id: FileID) throws(FileError)
    /// Those without uses since a time, the oldest first.
    func files(unusedSince time: WallTime, max: Int) throws(FileError) -> [FileRecord]

    // MARK: What they take

    /// - Parameter owner: `nil` for all of the tenant's.
    func usage(of owner: UserID?, in tenant: TenantID) throws(FileError) -> FileUsage
    /// Adds to what the owner takes, and to what the tenant does.
    func addUsage(bytes: Int64, uploads: Int, of owner: UserKey) throws(FileError)

    // MARK: Blobs

    func blob(_ hash: ContentHash) throws(FileError) -> BlobID?
    /// Adds one without uses.
    func add(_ blob: BlobID) throws(FileError)
    func addUses(_ difference: Int, of blob: BlobID) throws(FileError)
    func isKnown(_ blob: BlobID) throws(FileError) -> Bool
    /// Removes those without uses, and tells which: their bytes may go.
    func removeUnusedBlobs(max: Int) throws(FileError) -> [BlobID]
}
