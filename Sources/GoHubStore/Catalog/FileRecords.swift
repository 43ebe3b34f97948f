public import GoHubCore

/// Bytes on the disk that one or more files have.
///
/// Two blobs never have the same id: what was removed and comes again gets another, so that who removes the old one
/// can't meet the new one, however late.
public struct BlobID: Hashable, Sendable, CustomStringConvertible {
    public let hash: ContentHash
    /// The upload that brought it.
    public let origin: FileID

    public init(hash: ContentHash, origin: FileID) {
        self.hash = hash
        self.origin = origin
    }

    /// What `description` has made; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let hash = ContentHash(hex: String(parts[0])), hash.hex.elementsEqual(parts[0]),
            let origin = FileID(String(parts[1]))
        else { return nil }
        self.init(hash: hash, origin: origin)
    }

    /// The hash in hexadecimal, a dot, the origin: what its file is called.
    public var description: String { "\(hash.hex).\(origin)" }
}

/// What a client's command is known by, for as long as its upload or its file is there.
public struct UploadKey: Hashable, Sendable {
    public let room: RoomID
    public let owner: UserID
    public let command: CommandID
}

extension UploadRequest {
    public var key: UploadKey { UploadKey(room: room, owner: owner, command: id) }
}

/// An upload as the catalog has it. How far it is, its bytes on the disk say.
public struct UploadRecord: Hashable, Sendable {
    public let id: FileID
    public let request: UploadRequest
    /// When it was last taken up, or seen to grow.
    public var touchedAt: WallTime
    /// The blob that its bytes are becoming, counted as one of the blob's uses.
    public var claim: BlobID?

    public init(id: FileID, request: UploadRequest, touchedAt: WallTime, claim: BlobID? = nil) {
        self.id = id
        self.request = request
        self.touchedAt = touchedAt
        self.claim = claim
    }
}

/// A file as the catalog has it.
public struct FileRecord: Hashable, Sendable {
    public var file: StoredFile
    /// The id that its client gave it.
    public let command: CommandID
    public let blob: BlobID
    /// Messages that hold it.
    public var uses: Int
    /// Since when there are none of them.
    public var unusedSince: WallTime

    public init(file: StoredFile, command: CommandID, blob: BlobID, uses: Int, unusedSince: WallTime) {
        self.file = file
        self.command = command
        self.blob = blob
        self.uses = uses
        self.unusedSince = unusedSince
    }

    public var key: UploadKey { UploadKey(room: file.room, owner: file.owner, command: command) }
}

/// What a client's command has come to.
public enum CatalogEntry: Hashable, Sendable {
    case upload(UploadRecord)
    case file(FileRecord)
}
