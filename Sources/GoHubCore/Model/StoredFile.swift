/// A file of a room, as sent to everyone who may read the room. Its bytes never change.
public struct StoredFile: Hashable, Sendable {
    public let id: FileID
    public let room: RoomID
    /// The user who uploaded the file.
    public let owner: UserID
    public let name: FileName
    /// The type detected from its first bytes.
    public let type: FileType
    /// In bytes.
    public let size: UInt64
    public let hash: ContentHash
    /// The time when the upload was finished.
    public let createdAt: WallTime
    /// Set for an image, once it was examined.
    public var image: ImageProperties?

    public init(
        id: FileID, room: RoomID, owner: UserID, name: FileName, type: FileType, size: UInt64, hash: ContentHash,
        createdAt: WallTime, image: ImageProperties? = nil
    ) {
        self.id = id
        self.room = room
        self.owner = owner
        self.name = name
        self.type = type
        self.size = size
        self.hash = hash
        self.createdAt = createdAt
        self.image = image
    }

    public var ownerKey: UserKey { UserKey(tenant: room.tenant, user: owner) }
}
