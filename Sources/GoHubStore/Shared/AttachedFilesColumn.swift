internal import GoHubCore

extension [AttachedFile] {
    /// One line per file, with tab-separated parts. No part contains a control character.
    var encoded: String { map(\.line).joined(separator: "\n") }

    /// - Returns: `nil` for a malformed encoding, which no hub writes.
    init?(encoded: String) {
        self.init()
        for line in encoded.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            guard let file = AttachedFile(line: line) else { return nil }
            append(file)
        }
    }
}

extension AttachedFile {
    /// Id, type, size, name; width, height, whether there is a preview, and placeholder, all empty unless it is a known
    /// image; alt.
    fileprivate var line: String {
        let image = image.map {
            ["\($0.width)", "\($0.height)", $0.hasPreview ? "1" : "0", Self.clean($0.placeholder)]
        }
        let parts = [id.value, Self.clean(type.rawValue), "\(size)", name.value]
        return (parts + (image ?? ["", "", "", ""]) + [alt?.value ?? ""]).joined(separator: "\t")
    }

    /// Characters that would break a line have no meaning in a type or a placeholder.
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
        // A name that was once allowed stays readable.
        self.init(
            id: id, name: FileName(cleaning: parts[3]), type: FileType(rawValue: parts[1]), size: size, image: image,
            alt: alt)
    }
}
