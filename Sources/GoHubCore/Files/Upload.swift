extension Upload {
    /// A client's description of a file before the upload.
    public struct Request: Hashable, Sendable {
        public var room: RoomID
        /// The user who uploads the file.
        public var owner: UserID
        /// The client's own id. The same owner, room and id identify the same upload and later its file. So a client
        /// that lost an answer repeats the request without creating a second upload.
        public var id: CommandID
        public var name: FileName
        /// The media type claimed by the client (RFC 9110, section 8.3.1). Kept for comparison only; the bytes decide
        /// the type that a file is served with.
        public var declaredType: String
        /// The size of the whole file in bytes.
        public var size: UInt64
        /// The expected hash of the bytes, if the client knows it.
        public var hash: ContentHash?

        /// The maximum length of a declared type in bytes of ASCII; longer ones are truncated.
        public static let declaredTypeBytesMax = 127

        /// Of the declared type only the printable ASCII characters are kept, up to `declaredTypeBytesMax` of them.
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
}

/// An unfinished upload.
public struct Upload: Hashable, Sendable {
    public let id: FileID
    public let request: Upload.Request
    /// The number of bytes stored, which is the offset of the next one. It survives a restart of the hub.
    public var offset: UInt64
    /// The time when the upload is removed unless more bytes arrive. Each byte extends it.
    public var expiresAt: WallTime

    public init(id: FileID, request: Upload.Request, offset: UInt64, expiresAt: WallTime) {
        self.id = id
        self.request = request
        self.offset = offset
        self.expiresAt = expiresAt
    }

    /// Whether all bytes are stored, so that `finish` is next.
    public var isComplete: Bool { offset == request.size }
}

extension Upload {
    /// The right to write to an upload. Each resumption, on any connection, gets the next lease and ends all previous
    /// ones (`superseded`). So late data from a connection that is believed dead can't mix with the data of the new
    /// one.
    public struct Lease: Hashable, Sendable {
        /// The upload that the lease is for.
        public let id: FileID
        /// The sequence number of the lease.
        public let number: UInt64

        public init(id: FileID, number: UInt64) {
            self.id = id
            self.number = number
        }
    }
}

extension Upload {
    /// The state of an upload that is resumed.
    public enum State: Hashable, Sendable {
        /// The upload continues at `Upload.offset`. With all bytes present, `finish` is next.
        case open(Upload, Upload.Lease)
        /// The upload is already finished; this is its file.
        case finished(StoredFile)
    }
}
