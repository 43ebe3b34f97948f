/// The reason why a file operation failed. A sentence for people, without names of users, rooms or paths.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error, stable across releases.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// There is no such upload or file, or the requester may not know of it.
        public static let notFound = Code(rawValue: "not_found")
        /// The token doesn't allow it, a moderator has revoked the access, or a signed link is invalid.
        public static let forbidden = Code(rawValue: "forbidden")
        /// The request is malformed: an invalid range or an empty write.
        public static let invalid = Code(rawValue: "invalid")
        /// A file's size is over `FileQuotas.fileBytesMax`.
        public static let tooLarge = Code(rawValue: "too_large")
        /// The user's file quota is exhausted.
        public static let userQuota = Code(rawValue: "user_quota")
        /// The user has reached the limit of unfinished uploads.
        public static let uploadsQuota = Code(rawValue: "uploads_quota")
        /// The user or the address has reached the limit of concurrent downloads.
        public static let downloadsQuota = Code(rawValue: "downloads_quota")
        /// The tenant's file quota is exhausted.
        public static let tenantQuota = Code(rawValue: "tenant_quota")
        /// The command's id belongs to an upload with another name, size or hash.
        public static let conflict = Code(rawValue: "conflict")
        /// The bytes do not match the announced hash. The upload is removed.
        public static let hashMismatch = Code(rawValue: "hash_mismatch")
        /// More bytes than announced, or fewer at the end. The stored bytes stay.
        public static let sizeMismatch = Code(rawValue: "size_mismatch")
        /// A write does not begin at `expectedOffset`, the end of the last one.
        public static let wrongOffset = Code(rawValue: "wrong_offset")
        /// Another request has resumed the upload. The lease is no longer valid.
        public static let superseded = Code(rawValue: "superseded")
        /// The queue is full, or another node has the upload open. Repeating the request later is safe.
        public static let busy = Code(rawValue: "busy")
        /// The disk is full, or the operating system's disk quota. The stored bytes stay, and the upload can be
        /// resumed.
        public static let diskFull = Code(rawValue: "disk_full")
        /// The disk or the database is unavailable. Repeating the request later is safe.
        public static let unavailable = Code(rawValue: "unavailable")
    }

    public let code: Code
    /// One or two sentences for the client.
    public let message: String
    /// The error that caused this one, if any: neither compared nor sent to a client. A `StoreError` is logged with its
    /// code, and names paths and tables. Any other error isn't printed.
    public let underlying: (any Error)?
    /// For `wrongOffset`: the number of bytes stored.
    public let expectedOffset: UInt64?

    public init(
        _ code: Code, _ message: String, underlying: (any Error)? = nil, expectedOffset: UInt64? = nil
    ) {
        self.code = code
        self.message = message
        self.underlying = underlying
        self.expectedOffset = expectedOffset
    }

    public var description: String { message }
}

extension FileError: CodedError {
    public static func == (left: FileError, right: FileError) -> Bool {
        left.code == right.code && left.message == right.message && left.expectedOffset == right.expectedOffset
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(message)
        hasher.combine(expectedOffset)
    }

    /// The operator needs the cause; the message is for the client.
    package var logText: String { (underlying as? any CodedError)?.logText ?? "(\(code.rawValue)): \(message)" }
}

extension FileError {
    public static let notFound = FileError(.notFound, "There is no such file.")
    public static let superseded = FileError(.superseded, "Another request has resumed this upload.")
    public static let busy = FileError(.busy, "The file store is busy. Try again shortly.")

    public static let downloadsQuota = FileError(
        .downloadsQuota, "You have too many downloads at the same time. Wait until one ends.")

    /// - Parameter underlying: for the log; a `StoreError`, to be printed.
    public static func unavailable(_ underlying: any Error) -> FileError {
        FileError(.unavailable, "The file store is unavailable. Try again later.", underlying: underlying)
    }

    /// - Parameter offset: the number of bytes stored, where the next write must begin.
    public static func wrongOffset(expected offset: UInt64) -> FileError {
        FileError(.wrongOffset, "The upload continues at byte \(offset).", expectedOffset: offset)
    }
}
