public import GoHubCore

/// Bytes on the disk that one or more files share.
///
/// Two blobs never have the same id. Content that was removed and is uploaded again gets another id, so that a late
/// removal of the old blob never affects the new one.
public struct BlobID: Hashable, Sendable, CustomStringConvertible {
    /// The SHA-256 hash of the bytes.
    public let hash: ContentHash
    /// The upload that created the blob.
    public let origin: FileID

    public init(hash: ContentHash, origin: FileID) {
        self.hash = hash
        self.origin = origin
    }

    /// Parses the form of `description`; `nil` for any other text.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let hash = ContentHash(hex: String(parts[0])), hash.hex.elementsEqual(parts[0]),
            let origin = FileID(String(parts[1]))
        else { return nil }
        self.init(hash: hash, origin: origin)
    }

    /// The hash in hexadecimal, a dot, the origin: the name of its file.
    public var description: String { "\(hash.hex).\(origin)" }
}

/// The key of a client's command, valid while its upload or file exists.
public struct UploadKey: Hashable, Sendable {
    public let room: RoomID
    public let owner: UserID
    public let command: CommandID
}

extension Upload.Request {
    /// The key by which a repetition of the request finds the upload.
    public var key: UploadKey { UploadKey(room: room, owner: owner, command: id) }
}

/// An upload as recorded by the catalog. Its progress is the number of its bytes on the disk.
public struct UploadRecord: Hashable, Sendable {
    public let id: FileID
    public let request: Upload.Request
    /// The time when it was last resumed or seen to grow.
    public var touchedAt: WallTime
    /// The claimed blob of its content, counted as one of the blob's uses.
    public var claim: BlobID?

    public init(id: FileID, request: Upload.Request, touchedAt: WallTime, claim: BlobID? = nil) {
        self.id = id
        self.request = request
        self.touchedAt = touchedAt
        self.claim = claim
    }
}

/// A file as recorded by the catalog.
public struct FileRecord: Hashable, Sendable {
    public var file: StoredFile
    /// The id that its client chose.
    public let command: CommandID
    public let blob: BlobID
    /// The number of messages that hold it.
    public var uses: Int
    /// The time since when no message holds it.
    public var unusedSince: WallTime

    public init(file: StoredFile, command: CommandID, blob: BlobID, uses: Int, unusedSince: WallTime) {
        self.file = file
        self.command = command
        self.blob = blob
        self.uses = uses
        self.unusedSince = unusedSince
    }

    /// The key by which a repetition of the client's command finds the file.
    public var key: UploadKey { UploadKey(room: file.room, owner: file.owner, command: command) }
}

/// The result of a client's command: an upload or a file.
public enum CatalogEntry: Hashable, Sendable {
    /// The upload is unfinished.
    case upload(UploadRecord)
    /// The upload has become a file.
    case file(FileRecord)
}
