/// Why something can't be done with a file. A sentence for people, without names of users, rooms or paths.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// There is no such upload or file, or none that the asker may know of.
        public static let notFound = Code(rawValue: "not_found")
        public static let forbidden = Code(rawValue: "forbidden")
        /// What was asked for has no valid form: a range that isn't one, a write of nothing.
        public static let invalid = Code(rawValue: "invalid")
        /// A file's size is over `FileQuotas.fileBytesMax`.
        public static let tooLarge = Code(rawValue: "too_large")
        /// The user's files are as many bytes as they may be.
        public static let userQuota = Code(rawValue: "user_quota")
        /// The user has as many uploads in progress as they may have.
        public static let uploadsQuota = Code(rawValue: "uploads_quota")
        /// The user, or the address, has as many downloads under way as it may have.
        public static let downloadsQuota = Code(rawValue: "downloads_quota")
        /// The tenant's files are as many bytes as they may be.
        public static let tenantQuota = Code(rawValue: "tenant_quota")
        /// The command's id was used for an upload of another name, size or hash.
        public static let conflict = Code(rawValue: "conflict")
        /// The bytes don't come to the hash that was promised. The upload is gone.
        public static let hashMismatch = Code(rawValue: "hash_mismatch")
        /// There would be more bytes than were promised, or there are fewer at the end. What is stored stays.
        public static let sizeMismatch = Code(rawValue: "size_mismatch")
        /// A write doesn't begin where the last one has ended: at `expectedOffset`.
        public static let wrongOffset = Code(rawValue: "wrong_offset")
        /// Somebody has taken the upload up anew since; the lease is of no more use.
        public static let superseded = Code(rawValue: "superseded")
        /// Too much waits, or another node has the upload open. The same again a little later is safe.
        public static let busy = Code(rawValue: "busy")
        /// The disk, or this user's share of it, is full. What is stored stays, and can be gone on with.
        public static let diskFull = Code(rawValue: "disk_full")
        /// The disk or the database can't answer now. The same again later is safe.
        public static let unavailable = Code(rawValue: "unavailable")
    }

    public let code: Code
    public let message: String
    /// Of `wrongOffset`: how many bytes are stored.
    public let expectedOffset: UInt64?
    /// What the operator should know of, for the log: names paths and tables, and is never sent to a client.
    public let detail: String?

    public init(_ code: Code, _ message: String, expectedOffset: UInt64? = nil, detail: String? = nil) {
        self.code = code
        self.message = message
        self.expectedOffset = expectedOffset
        self.detail = detail
    }

    public var description: String { message }
}

extension FileError {
    public static let notFound = FileError(.notFound, "There is no such file.")
    public static let superseded = FileError(.superseded, "The upload was taken up anew by another request.")
    public static let busy = FileError(.busy, "Too much waits for the files now; try again in a moment.")

    public static let downloadsQuota = FileError(
        .downloadsQuota, "You have as many downloads at a time as you may have now. Wait for one to end.")

    /// - Parameter detail: for the log.
    public static func unavailable(_ detail: String) -> FileError {
        FileError(.unavailable, "The files can't be reached now; try again later.", detail: detail)
    }

    public static func wrongOffset(expected offset: UInt64) -> FileError {
        FileError(.wrongOffset, "The next byte that is wanted is byte \(offset).", expectedOffset: offset)
    }
}
