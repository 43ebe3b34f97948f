public import GoHubCore

/// How much of the disk files may take. Counted are files and, with the size that they will have, uploads; a file that is
/// stored once for several counts for each. None counts for less than `blockBytes`: it has a row and an inode, however
/// small it is.
public struct FileQuotas: Hashable, Sendable {
    /// Bytes of one file.
    public var fileBytesMax: UInt64
    /// Bytes of all files of a user.
    public var userBytesMax: UInt64
    /// Bytes of all files of a tenant.
    public var tenantBytesMax: UInt64
    /// Uploads of a user that are begun and not finished.
    public var userUploadsMax: Int

    /// What the smallest file counts for, as on most file systems.
    public static let blockBytes: UInt64 = 4096

    /// What a file of this size counts for.
    static func bytes(for size: UInt64) -> Int64 { Int64(clamping: max(size, blockBytes)) }

    public init(
        fileBytesMax: UInt64 = 100 * 1024 * 1024, userBytesMax: UInt64 = 2 * 1024 * 1024 * 1024,
        tenantBytesMax: UInt64 = 100 * 1024 * 1024 * 1024, userUploadsMax: Int = 16
    ) {
        self.fileBytesMax = fileBytesMax
        self.userBytesMax = userBytesMax
        self.tenantBytesMax = tenantBytesMax
        self.userUploadsMax = userUploadsMax
    }
}

/// What files and uploads take.
public struct FileUsage: Hashable, Sendable {
    /// Of files as they are, and of uploads as they will be.
    public var bytes: UInt64
    /// Uploads that are begun and not finished.
    public var uploads: Int

    public init(bytes: UInt64 = 0, uploads: Int = 0) {
        self.bytes = bytes
        self.uploads = uploads
    }
}

extension FileQuotas {
    /// Whether one more upload fits.
    ///
    /// - Returns: why not, or `nil`.
    public func refusal(of size: UInt64, user: FileUsage, tenant: FileUsage) -> FileError? {
        // Databases and file systems count in signed numbers.
        let fileBytesMax = min(fileBytesMax, UInt64(Int64.max))
        guard size <= fileBytesMax else {
            return FileError(.tooLarge, "A file may have \(fileBytesMax) bytes at most.")
        }
        guard user.uploads < userUploadsMax else {
            return FileError(
                .uploadsQuota,
                "You have \(user.uploads) uploads in progress, the most that are allowed; finish or cancel one.")
        }
        let size = max(size, Self.blockBytes)
        guard fits(size, user.bytes, userBytesMax) else {
            return FileError(.userQuota, "Your files may have \(userBytesMax) bytes together; delete some.")
        }
        guard fits(size, tenant.bytes, tenantBytesMax) else {
            return FileError(.tenantQuota, "There is no room left for files; ask the operator for more.")
        }
        return nil
    }

    private func fits(_ size: UInt64, _ used: UInt64, _ max: UInt64) -> Bool {
        let (sum, overflow) = used.addingReportingOverflow(size)
        return !overflow && sum <= max
    }
}
