public import GoHubCore

/// Quotas on disk space. Files count, and uploads count with their final size. A file stored once but used by several
/// files counts for each. The minimum is `blockBytes`, because even the smallest file has a row and an inode.
public struct FileQuotas: Hashable, Sendable {
    /// Bytes of one file; more than 2⁶³ − 1 counts as that.
    public var fileBytesMax: UInt64
    /// Bytes of all files of a user.
    public var userBytesMax: UInt64
    /// Bytes of all files of a tenant.
    public var tenantBytesMax: UInt64
    /// Unfinished uploads of a user.
    public var userUploadsMax: Int

    /// The minimum that a file counts for: the block size of most file systems.
    public static let blockBytes: UInt64 = 4096

    /// The bytes that a file of this size counts for.
    static func bytes(for size: UInt64) -> Int64 { Int64(clamping: max(size, blockBytes)) }

    /// By default 100 MiB for a file, 2 GiB and 16 unfinished uploads for a user, and 100 GiB for a tenant.
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

/// The space that files and uploads use.
public struct FileUsage: Hashable, Sendable {
    /// The bytes of files, and the final bytes of uploads, each at least `FileQuotas.blockBytes`.
    public var bytes: UInt64
    /// Unfinished uploads.
    public var uploads: Int

    public init(bytes: UInt64 = 0, uploads: Int = 0) {
        self.bytes = bytes
        self.uploads = uploads
    }
}

extension FileQuotas {
    /// Whether another upload fits.
    ///
    /// - Parameters:
    ///   - size: the final size of the upload in bytes.
    ///   - user: the usage of its owner.
    ///   - tenant: the usage of the whole tenant.
    /// - Returns: `tooLarge`, `uploadsQuota`, `userQuota` or `tenantQuota` if it does not fit, or `nil`.
    public func refusal(of size: UInt64, user: FileUsage, tenant: FileUsage) -> FileError? {
        // Databases and file systems count in signed numbers.
        let fileBytesMax = min(fileBytesMax, UInt64(Int64.max))
        guard size <= fileBytesMax else {
            return FileError(.tooLarge, "The file is larger than the limit of \(fileBytesMax) bytes.")
        }
        guard user.uploads < userUploadsMax else {
            return FileError(
                .uploadsQuota,
                "You have \(user.uploads) unfinished uploads, which is the limit. Finish or cancel one.")
        }
        let size = max(size, Self.blockBytes)
        guard fits(size, user.bytes, userBytesMax) else {
            return FileError(.userQuota, "File quota exceeded (\(userBytesMax) bytes). Delete some files.")
        }
        guard fits(size, tenant.bytes, tenantBytesMax) else {
            return FileError(.tenantQuota, "The tenant's file quota is exceeded. Ask the operator for more.")
        }
        return nil
    }

    private func fits(_ size: UInt64, _ used: UInt64, _ max: UInt64) -> Bool {
        let (sum, overflow) = used.addingReportingOverflow(size)
        return !overflow && sum <= max
    }
}
