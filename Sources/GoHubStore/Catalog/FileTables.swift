public import GoHubCore

/// The rows of uploads, files and blobs inside one transaction. Belongs to the thread that runs it.
///
/// Only rows: the rules are the same for all catalogs, in `FileCatalog`. Each method throws `FileError.unavailable`
/// with the reason as `detail`, and the transaction is then rolled back.
public protocol FileTables: AnyObject {
    // MARK: Uploads

    func upload(_ id: FileID) throws(FileError) -> UploadRecord?
    func upload(_ key: UploadKey) throws(FileError) -> UploadRecord?
    func add(_ upload: UploadRecord) throws(FileError)
    /// Sets `touchedAt` and `claim`.
    func update(_ upload: UploadRecord) throws(FileError)
    func removeUpload(_ id: FileID) throws(FileError)
    /// Uploads that are untouched since a time, oldest first.
    func uploads(untouchedSince time: WallTime, max: Int) throws(FileError) -> [UploadRecord]

    // MARK: Files

    func file(_ id: FileID) throws(FileError) -> FileRecord?
    func file(_ key: UploadKey) throws(FileError) -> FileRecord?
    func add(_ file: FileRecord) throws(FileError)
    func removeFile(_ id: FileID) throws(FileError)
    /// Files without uses since a time, oldest first.
    func files(unusedSince time: WallTime, max: Int) throws(FileError) -> [FileRecord]

    // MARK: Usage

    /// - Parameter owner: `nil` for the whole tenant.
    func usage(of owner: UserID?, in tenant: TenantID) throws(FileError) -> FileUsage
    /// Adds to the usage of the owner and of the tenant.
    func addUsage(bytes: Int64, uploads: Int, of owner: UserKey) throws(FileError)

    // MARK: Blobs

    func blob(_ hash: ContentHash) throws(FileError) -> BlobID?
    /// Adds a blob without uses.
    func add(_ blob: BlobID) throws(FileError)
    func addUses(_ difference: Int, of blob: BlobID) throws(FileError)
    func isKnown(_ blob: BlobID) throws(FileError) -> Bool
    /// Removes unused blobs and returns their ids: their bytes may be removed.
    func removeUnusedBlobs(max: Int) throws(FileError) -> [BlobID]
}
