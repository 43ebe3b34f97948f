/// A file of a room as everybody who may read the room gets it. Its bytes never change.
public struct StoredFile: Hashable, Sendable {
    public let id: FileID
    public let room: RoomID
    public let owner: UserID
    public let name: FileName
    /// What its first bytes say that it is.
    public let type: FileType
    public let size: UInt64
    public let hash: ContentHash
    public let createdAt: WallTime
    /// Of an image, once it was looked at.
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
