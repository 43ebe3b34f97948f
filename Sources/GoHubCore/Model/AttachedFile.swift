/// A file of a message, as it was when the message was stored. It stays listed when the file is deleted.
public struct AttachedFile: Hashable, Sendable {
    public let id: FileID
    public let name: FileName
    /// Detected from the file's first bytes.
    public let type: FileType
    /// In bytes.
    public let size: UInt64
    /// Set for an image that was examined by then.
    public let image: ImageProperties?
    /// The sender's description of the file; `nil` for none.
    public let alt: AltText?

    public init(
        id: FileID, name: FileName, type: FileType, size: UInt64, image: ImageProperties? = nil, alt: AltText? = nil
    ) {
        self.id = id
        self.name = name
        self.type = type
        self.size = size
        self.image = image
        self.alt = alt
    }

    /// The description of a stored file, for a message.
    public init(_ file: StoredFile, alt: AltText? = nil) {
        self.init(id: file.id, name: file.name, type: file.type, size: file.size, image: file.image, alt: alt)
    }

    /// The maximum weight: types and placeholders are generated here and short.
    package static let weightMax = weightOfForm + FileName.bytesMax + 64 + 256 + AltText.bytesMax

    /// Field names, the id, and numbers with all of their digits.
    private static let weightOfForm = 176

    /// The approximate bytes in an answer and in a store; never less than the encoded line.
    package var weight: Int {
        Self.weightOfForm + name.value.utf8.count + type.rawValue.utf8.count + (image?.placeholder.utf8.count ?? 0)
            + (alt?.value.utf8.count ?? 0)
    }
}

extension [AttachedFile] {
    package var weight: Int { reduce(0) { $0 + $1.weight } }
}
