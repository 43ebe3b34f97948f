/// A file that a message holds, as it was when the message was stored. It stays listed when the file is deleted.
public struct AttachedFile: Hashable, Sendable {
    public let id: FileID
    public let name: FileName
    public let type: FileType
    public let size: UInt64
    /// Of an image that was looked at by then.
    public let image: ImageProperties?
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

    public init(_ file: StoredFile, alt: AltText? = nil) {
        self.init(id: file.id, name: file.name, type: file.type, size: file.size, image: file.image, alt: alt)
    }

    /// The most that one weighs: a type and a placeholder are ours, and short.
    static let weightMax = weightOfForm + FileName.bytesMax + 64 + 256 + AltText.bytesMax

    /// Names of fields, the id, and numbers with all of their digits.
    private static let weightOfForm = 176

    /// About the bytes that it takes in an answer and in a store; never less than its line has.
    var weight: Int {
        Self.weightOfForm + name.value.utf8.count + type.rawValue.utf8.count + (image?.placeholder.utf8.count ?? 0)
            + (alt?.value.utf8.count ?? 0)
    }
}

// MARK: In a column

extension [AttachedFile] {
    var weight: Int { reduce(0) { $0 + $1.weight } }

    /// A line for each, its parts separated by tabs. No part holds a control character.
    package var encoded: String { map(\.line).joined(separator: "\n") }

    /// - Returns: `nil` for what no hub wrote.
    package init?(encoded: String) {
        self.init()
        for line in encoded.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            guard let file = AttachedFile(line: line) else { return nil }
            append(file)
        }
    }
}

extension AttachedFile {
    /// Id, type, size, name; width, height, whether there is a preview, and placeholder, all empty for what is no known
    /// image; alt.
    fileprivate var line: String {
        let image = image.map {
            ["\($0.width)", "\($0.height)", $0.hasPreview ? "1" : "0", Self.clean($0.placeholder)]
        }
        let parts = [id.value, Self.clean(type.rawValue), "\(size)", name.value]
        return (parts + (image ?? ["", "", "", ""]) + [alt?.value ?? ""]).joined(separator: "\t")
    }

    /// What could break a line has no meaning in a type or a placeholder.
    private static func clean(_ text: String) -> String { text.holdsControls ? "" : text }

    fileprivate init?(line: Substring.UTF8View) {
        let parts = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count == 9, let id = FileID(parts[0]), let size = UInt64(parts[2]) else { return nil }
        var image: ImageProperties?
        if !parts[4].isEmpty {
            guard let width = Int(parts[4]), let height = Int(parts[5]) else { return nil }
            image = ImageProperties(
                width: width, height: height, placeholder: parts[7], hasPreview: parts[6] == "1")
        }
        let alt = AltText(parts[8])
        guard alt != nil || parts[8].isEmpty else { return nil }
        // A name that was allowed once stays readable.
        self.init(
            id: id, name: FileName(cleaning: parts[3]), type: FileType(rawValue: parts[1]), size: size, image: image,
            alt: alt)
    }
}
