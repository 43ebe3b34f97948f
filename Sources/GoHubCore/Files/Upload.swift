/// What a client says of a file before it sends it.
public struct UploadRequest: Hashable, Sendable {
    public var room: RoomID
    public var owner: UserID
    /// The client's own id. The same owner, room and id find the same upload again, and later its file: so a client whose
    /// answer was lost asks once more and has no second upload.
    public var id: CommandID
    public var name: FileName
    /// The media type that the client says it is (RFC 9110, section 8.3.1). Kept for comparison only: what a file is served
    /// as, its bytes decide.
    public var declaredType: String
    /// Bytes of the whole file.
    public var size: UInt64
    /// What the bytes have to come to, where the client knows it.
    public var hash: ContentHash?

    /// Bytes of a declared type; longer ones are cut.
    public static let declaredTypeBytesMax = 127

    public init(
        room: RoomID, owner: UserID, id: CommandID, name: FileName, declaredType: String = "", size: UInt64,
        hash: ContentHash? = nil
    ) {
        self.room = room
        self.owner = owner
        self.id = id
        self.name = name
        let type = declaredType.unicodeScalars.filter { $0.isASCII && $0.value > 0x1F && $0.value < 0x7F }
        self.declaredType = String(String.UnicodeScalarView(type.prefix(Self.declaredTypeBytesMax)))
        self.size = size
        self.hash = hash
    }

    public var ownerKey: UserKey { UserKey(tenant: room.tenant, user: owner) }
}

/// A file on its way.
public struct Upload: Hashable, Sendable {
    public let id: FileID
    public let request: UploadRequest
    /// How many bytes are stored: the offset of the next one. Stays over a restart of the hub.
    public var offset: UInt64
    /// When it is given up if nothing comes until then; later with each byte that does.
    public var expiresAt: WallTime

    public init(id: FileID, request: UploadRequest, offset: UInt64, expiresAt: WallTime) {
        self.id = id
        self.request = request
        self.offset = offset
        self.expiresAt = expiresAt
    }

    public var isComplete: Bool { offset == request.size }
}

/// The right to write to an upload. Whoever takes the upload up anew, on whatever connection, has the next one, and with
/// that all former are refused (`superseded`): so what a connection that is thought dead still sends can't mix with what
/// the new one does.
public struct UploadLease: Hashable, Sendable {
    public let id: FileID
    /// Which of the upload's leases it is.
    public let number: UInt64

    public init(id: FileID, number: UInt64) {
        self.id = id
        self.number = number
    }
}

/// Where an upload is when it is taken up.
public enum UploadState: Hashable, Sendable {
    /// Bytes are wanted from `Upload.offset` on. With all of them there, `finish` is.
    case open(Upload, UploadLease)
    /// It was finished before: this became of it.
    case finished(StoredFile)
}
