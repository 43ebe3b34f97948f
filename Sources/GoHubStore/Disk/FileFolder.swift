internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// The layout of the files' bytes on disk:
///
/// ```
/// uploads/ID                      an upload, as far as it has come
/// blobs/aa/bb/HASH.ID             a file's content, by its SHA-256, of which aa and bb are the first digits
/// blobs/aa/bb/HASH.ID.preview     the preview of an image; while it is written, uploads/ID.preview
/// ```
///
/// All in one file system, so that a finished upload is moved, not copied. Only this user can read it. Every path is
/// built here, from ids and hashes only: client input is never part of a path.
struct FileFolder: Sendable {
    let path: String
    let writeback: Writeback

    /// Creates missing folders.
    init(_ path: String, writeback: Writeback = Writeback()) throws(StoreError) {
        self.path = path
        self.writeback = writeback
        for folder in [path, "\(path)/uploads", "\(path)/blobs"] {
            guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw Self.error(folder, errno) }
        }
        for folder in ["uploads", "blobs"] where access("\(path)/\(folder)", R_OK | W_OK | X_OK) != 0 {
            throw Self.error("\(path)/\(folder)", errno)
        }
        do throws(FileError) {
            try Self.sync(path)
        } catch {
            let cause = StoreError(error)
            throw StoreError(cause.code, "\(path) cannot be used for files. \(cause.message)", underlying: cause)
        }
    }

    private static func error(_ path: String, _ code: Int32) -> StoreError {
        let reason =
            switch code {
            case ENOENT: "its parent directory does not exist. Create it first"
            case EACCES, EPERM: "this user has no permission to write there"
            case EROFS: "the file system is read-only"
            case ENOTDIR: "part of the path is not a directory"
            case ENOSPC, EDQUOT: "no space is left on the disk"
            default: systemErrorText(code)
            }
        return StoreError(.init(systemCode: code), "\(path) cannot be used for files: \(reason).")
    }

    func path(of upload: FileID) -> String { "\(path)/uploads/\(upload)" }

    func path(of blob: BlobID) -> String { "\(folder(of: blob))/\(blob)" }

    private func folder(of blob: BlobID) -> String {
        "\(parent(of: blob))/\(blob.hash.hex.dropFirst(2).prefix(2))"
    }

    private func parent(of blob: BlobID) -> String { "\(path)/blobs/\(blob.hash.hex.prefix(2))" }

    // MARK: Uploads

    /// Opens an upload exclusively, and creates it if it doesn't exist.
    ///
    /// - Throws: `busy` while another process has it open.
    func open(_ upload: FileID) throws(FileError) -> OpenFile {
        let path = path(of: upload)
        let file = try OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            if errno == EWOULDBLOCK { throw .busy }
            throw .system("\(path) cannot be locked", errno)
        }
        // Another process that removed it held the lock before.
        guard try file.status().st_nlink > 0 else { throw .busy }
        return file
    }

    /// Opens an upload for reading only, concurrently with its writer.
    func openToRead(_ upload: FileID) throws(FileError) -> OpenFile {
        try OpenFile(path(of: upload), O_RDONLY | O_NOFOLLOW)
    }

    func remove(_ upload: FileID) {
        unlink(path(of: upload))
        unlink(path(of: upload) + Self.previewEnding)
    }

    /// The time of the last write to an upload; `nil` when nothing is stored.
    func writtenAt(_ upload: FileID) -> WallTime? {
        var status = stat()
        let path = path(of: upload)
        guard lstat(path, &status) == 0 || lstat(path + Self.previewEnding, &status) == 0 else { return nil }
        return WallTime(milliseconds: Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000)
    }

    func hasUpload(_ upload: FileID) -> Bool { access(path(of: upload), F_OK) == 0 }

    // MARK: Blobs

    /// Moves an upload to its blob's place. An existing blob has the same bytes and is replaced. A repetition finds
    /// that it was moved.
    func move(_ upload: FileID, to blob: BlobID, size: UInt64) throws(FileError) {
        for path in [parent(of: blob), folder(of: blob)] where mkdir(path, 0o700) != 0 && errno != EEXIST {
            throw .system("\(path) cannot be created", errno)
        }
        guard rename(path(of: upload), path(of: blob)) == 0 else {
            let code = errno
            if code == ENOENT, self.size(of: blob) == size { return }
            throw .system("\(path(of: upload)) cannot be moved", code)
        }
    }

    /// Makes a moved blob durable: syncs its name and those of its folders. The process that created a folder may not
    /// have synced it.
    func syncDirectories(_ blob: BlobID) throws(FileError) {
        for folder in [folder(of: blob), parent(of: blob), "\(path)/blobs"] { try Self.sync(folder) }
    }

    /// The size of a blob in bytes; `nil` when it doesn't exist.
    func size(of blob: BlobID) -> UInt64? {
        var status = stat()
        return lstat(path(of: blob), &status) == 0 ? UInt64(clamping: status.st_size) : nil
    }

    func open(_ blob: BlobID) throws(FileError) -> OpenFile {
        try OpenFile(path(of: blob), O_RDONLY | O_NOFOLLOW)
    }

    func remove(_ blob: BlobID) {
        unlink(path(of: blob))
        unlink(path(of: blob) + Self.previewEnding)
    }

    // MARK: Previews

    private static let previewEnding = ".preview"
    /// Larger than any preview.
    private static let previewBytesMax = 1024 * 1024

    /// Stores a preview beside its blob, replacing an existing one.
    func keepPreview(_ bytes: [UInt8], of blob: BlobID, for upload: FileID) throws(FileError) {
        let path = path(of: upload) + Self.previewEnding
        let file = try OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW)
        if let error = file.write(bytes, at: 0).error { throw error }
        try file.sync()
        guard rename(path, self.path(of: blob) + Self.previewEnding) == 0 else {
            throw .system("\(path) cannot be moved", errno)
        }
        try Self.sync(folder(of: blob))
    }

    func preview(of blob: BlobID) throws(FileError) -> [UInt8] {
        let file = try OpenFile(path(of: blob) + Self.previewEnding, O_RDONLY | O_NOFOLLOW)
        return try file.read(at: 0, bytesMax: Self.previewBytesMax)
    }

    /// The name without a preview's suffix.
    private static func owner(_ name: String) -> Substring {
        name.hasSuffix(previewEnding) ? name.dropLast(previewEnding.count) : name[...]
    }

    // MARK: Listing

    /// A part of a folder's contents.
    struct Listing<ID: Hashable & Sendable>: Sendable {
        var ids: Set<ID> = []
        /// The number of names read; fewer than requested at the end.
        var count = 0
    }

    /// - Parameter skipping: the number of names to skip.
    func uploads(skipping skipped: Int, max: Int) -> Listing<FileID> {
        let names = Self.names(in: "\(path)/uploads", skipping: skipped, max: max)
        return Listing(ids: Set(names.compactMap { FileID(String(Self.owner($0))) }), count: names.count)
    }

    /// The blobs whose hash begins with the given digits.
    ///
    /// - Parameter digits: four digits, which name the two folders.
    func blobs(_ digits: String, skipping skipped: Int, max: Int) -> Listing<BlobID> {
        let folder = "\(path)/blobs/\(digits.prefix(2))/\(digits.dropFirst(2))"
        let names = Self.names(in: folder, skipping: skipped, max: max)
        return Listing(ids: Set(names.compactMap { BlobID(Self.owner($0)) }), count: names.count)
    }

    private static func names(in folder: String, skipping skipped: Int, max: Int) -> [String] {
        guard let entries = opendir(folder) else { return [] }
        defer { closedir(entries) }
        var names: [String] = []
        var left = skipped
        while names.count < max, let entry = readdir(entries) {
            // `readdir` terminates a name with a zero inside the entry, which is valid until the next call.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            if left > 0 { left -= 1 } else { names.append(name) }
        }
        return names
    }

    /// Makes the names in a folder durable, like the files.
    private static func sync(_ folder: String) throws(FileError) {
        let file = try OpenFile(folder, O_RDONLY | O_DIRECTORY)
        try file.sync()
    }
}
