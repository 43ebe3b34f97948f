internal import GoHubCore

/// A file in a response.
struct FileJSON: Encodable, Sendable {
    struct Image: Encodable, Sendable {
        let width: Int
        let height: Int
        let placeholder: String?
        let preview: Bool
    }

    let id: String
    let room: String
    let owner: String
    let name: String
    let type: String
    let size: UInt64
    let sha256: String
    let createdAt: Int64
    let image: Image?

    init(_ file: StoredFile) {
        id = file.id.value
        room = file.room.name.value
        owner = file.owner.value
        name = file.name.value
        type = file.type.rawValue
        size = file.size
        sha256 = file.hash.hex
        createdAt = file.createdAt.milliseconds
        image = file.image.map { image in
            Image(
                width: image.width, height: image.height,
                placeholder: image.placeholder.isEmpty ? nil : image.placeholder, preview: image.hasPreview)
        }
    }
}
