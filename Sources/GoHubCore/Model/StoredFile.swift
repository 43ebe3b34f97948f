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

/// What a page needs to leave the right room for an image, and to show something until it is there.
public struct ImageProperties: Hashable, Sendable {
    /// Pixels, as the image is shown.
    public var width: Int
    public var height: Int
    /// A few bytes of text that a client makes a blurred picture of; empty for none.
    public var placeholder: String
    public var hasPreview: Bool

    public init(width: Int, height: Int, placeholder: String = "", hasPreview: Bool = false) {
        self.width = width
        self.height = height
        self.placeholder = placeholder
        self.hasPreview = hasPreview
    }
}
