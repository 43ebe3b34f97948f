public import GoHubCore

/// The rows of uploads, files and blobs inside one transaction. Belongs to the thread that runs it.
///
/// Only rows: the rules are the same for all catalogs, in `FileCatalog`. Each method throws `FileError.unavailable`
/// with a `StoreError` as its cause, and the transaction is then rolled back.
public protocol FileTables: AnyObject {
    // MARK: Uploads

    /// `nil` if there is no such upload.
    func upload(_ id: FileID) throws(FileError) -> UploadRecord?
    /// The unfinished upload of a client's command; `nil` if there is none.
    func upload(_ key: UploadKey) throws(FileError) -> UploadRecord?
    /// Adds a row. Neither its id nor its key is known.
    func add(_ upload: UploadRecord) throws(FileError)
    /// Sets `touchedAt` and `claim`.
    func update(_ upload: UploadRecord) throws(FileError)
    /// Removes a row; does nothing if there is none.
    func removeUpload(_ id: FileID) throws(FileError)
    /// Uploads that are untouched since a time, oldest first.
    func uploads(untouchedSince time: WallTime, max: Int) throws(FileError) -> [UploadRecord]

    // MARK: Files

    /// `nil` if there is no such file, in whatever tenant.
    func file(_ id: FileID) throws(FileError) -> FileRecord?
    /// The file of a client's command; `nil` if there is none.
    func file(_ key: UploadKey) throws(FileError) -> FileRecord?
    /// Adds a row. Neither its id nor its key is known.
    func add(_ file: FileRecord) throws(FileError)
    /// Removes a row; does nothing if there is none.
    func removeFile(_ id: FileID) throws(FileError)
    /// Files without uses since a time, oldest first.
    func files(unusedSince time: WallTime, max: Int) throws(FileError) -> [FileRecord]

    // MARK: Usage

    /// - Parameter owner: `nil` for the whole tenant.
    func usage(of owner: UserID?, in tenant: TenantID) throws(FileError) -> FileUsage
    /// Adds to the usage of the owner and of the tenant; negative numbers subtract.
    func addUsage(bytes: Int64, uploads: Int, of owner: UserKey) throws(FileError)

    // MARK: Blobs

    /// The blob with this content; `nil` if there is none.
    func blob(_ hash: ContentHash) throws(FileError) -> BlobID?
    /// Adds a blob without uses.
    func add(_ blob: BlobID) throws(FileError)
    /// Adds to the use count of a blob; a negative difference subtracts.
    func addUses(_ difference: Int, of blob: BlobID) throws(FileError)
    /// Whether there is a blob with this id: the same hash and the same origin.
    func isKnown(_ blob: BlobID) throws(FileError) -> Bool
    /// Removes unused blobs and returns their ids: their bytes may be removed.
    func removeUnusedBlobs(max: Int) throws(FileError) -> [BlobID]
}
