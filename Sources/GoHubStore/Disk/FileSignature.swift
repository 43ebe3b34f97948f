public import GoHubCore

/// The first bytes of a file format (WHATWG MIME Sniffing, sections 5 and 6; the formats' specifications).
struct FileSignature: Sendable {
    /// A required part of the first bytes.
    struct Part: Sendable {
        var offset: Int
        var bytes: [UInt8]
    }

    let type: FileType
    let parts: [Part]

    private init(_ type: FileType, _ parts: Part...) {
        self.type = type
        self.parts = parts
    }

    func matches(_ beginning: [UInt8]) -> Bool {
        parts.allSatisfy { part in
            beginning.count >= part.offset + part.bytes.count
                && beginning[part.offset...].prefix(part.bytes.count).elementsEqual(part.bytes)
        }
    }

    private static func text(_ text: String, at offset: Int = 0) -> Part {
        Part(offset: offset, bytes: Array(text.utf8))
    }

    private static func bytes(_ bytes: UInt8...) -> Part {
        Part(offset: 0, bytes: bytes)
    }

    /// Ordered: the first match decides.
    static let all: [FileSignature] = [
        // PNG, section 5.2; JPEG, B.1.1.3: SOI, and the first byte of the marker after it; GIF89a and 87a, section 17.
        FileSignature(.png, bytes(0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A)),
        FileSignature(.jpeg, bytes(0xFF, 0xD8, 0xFF)),
        FileSignature(.gif, text("GIF87a")), FileSignature(.gif, text("GIF89a")),
        // RIFF: a length stands between the two.
        FileSignature(.webp, text("RIFF"), text("WEBPVP8", at: 8)),
        FileSignature(.wav, text("RIFF"), text("WAVE", at: 8)),
        FileSignature(.pdf, text("%PDF-")),
        FileSignature(.ogg, Part(offset: 0, bytes: [0x4F, 0x67, 0x67, 0x53, 0x00])),
        FileSignature(.flac, text("fLaC")),
        FileSignature(.mp3, text("ID3")),
        FileSignature(.zip, bytes(0x50, 0x4B, 0x03, 0x04)), FileSignature(.zip, bytes(0x50, 0x4B, 0x05, 0x06)),
    ]
}

extension FileType {
    /// The number of first bytes that decide a file's type.
    public static let beginningBytes = 4096

    /// Detects the type of a file.
    ///
    /// - Parameters:
    ///   - beginning: its first `beginningBytes` bytes, or all if it has fewer.
    ///   - isWhole: whether these are all bytes of the file.
    public init(ofBeginning beginning: [UInt8], isWhole: Bool) {
        if let signature = FileSignature.all.first(where: { $0.matches(beginning) }) {
            self = signature.type
        } else if let media = Self.isoMedia(beginning) ?? Self.matroska(beginning) ?? Self.mpegAudio(beginning) {
            self = media
        } else {
            self = Self.isText(beginning, isWhole: isWhole) ? .text : .bytes
        }
    }

    /// ISO 14496-12, section 4.3: a box `ftyp` with the major brand, a version, and the compatible brands.
    private static func isoMedia(_ bytes: [UInt8]) -> FileType? {
        guard bytes.count >= 16, bytes[4..<8].elementsEqual("ftyp".utf8) else { return nil }
        let size = bytes[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard size >= 16, size % 4 == 0, size <= bytes.count else { return nil }
        let brands = stride(from: 8, to: size, by: 4).filter { $0 != 12 }
            .map { String(decoding: bytes[$0..<$0 + 4], as: UTF8.self) }
        // The first known brand decides.
        for brand in brands {
            switch brand {
            case "avif", "avis": return .avif
            case "M4A ", "M4B ": return .m4a
            case "isom", "iso2", "iso4", "iso5", "iso6", "avc1", "mp41", "mp42", "M4V ", "dash", "mmp4": return .mp4
            default: continue
            }
        }
        return nil
    }

    /// An EBML header (RFC 8794, section 11.2.4) with the document type `webm`. Other Matroska files are plain bytes.
    private static func matroska(_ bytes: [UInt8]) -> FileType? {
        guard bytes.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) else { return nil }
        let head = Array(bytes.prefix(64))
        // The element 0x4282, its one-byte length, the text.
        let wanted: [UInt8] = [0x42, 0x82, 0x84] + Array("webm".utf8)
        guard head.count >= wanted.count else { return nil }
        return (0...head.count - wanted.count).contains { head[$0...].starts(with: wanted) } ? .webm : nil
    }

    /// Two consecutive frames of MPEG audio, layer III (ISO 11172-3, section 2.4.1.3). The eleven sync bits alone occur
    /// too often by chance.
    private static func mpegAudio(_ bytes: [UInt8]) -> FileType? {
        guard let length = mpegFrameBytes(bytes[...]), length < bytes.count else { return nil }
        return mpegFrameBytes(bytes[length...]) == nil ? nil : .mp3
    }

    private static func mpegFrameBytes(_ bytes: ArraySlice<UInt8>) -> Int? {
        let head = Array(bytes.prefix(4))
        guard head.count == 4, head[0] == 0xFF, head[1] & 0xE6 == 0xE2 else { return nil }
        let version = head[1] >> 3 & 3
        let rate = Int(head[2] >> 4)
        let frequency = Int(head[2] >> 2 & 3)
        guard version != 1, (1...14).contains(rate), frequency < 3 else { return nil }
        let isVersion1 = version == 3
        let kilobits =
            isVersion1
            ? [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320][rate]
            : [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160][rate]
        let hertz = [44_100, 48_000, 32_000][frequency] / (isVersion1 ? 1 : version == 2 ? 2 : 4)
        return (isVersion1 ? 144_000 : 72_000) * kilobits / hertz + Int(head[2] >> 1 & 1)
    }

    /// UTF-8 without control characters that do not occur in texts. A character cut off at the end is allowed.
    private static func isText(_ bytes: [UInt8], isWhole: Bool) -> Bool {
        guard !bytes.isEmpty else { return false }
        var text = bytes[...]
        if !isWhole {
            // Up to three bytes of the last character may be present.
            let cut = text.suffix(3).lastIndex { $0 >= 0xC0 }
            if let cut, text[cut...].count < Self.sequenceBytes(text[cut]) { text = text[..<cut] }
        }
        let isPlain = text.allSatisfy { $0 >= 0x20 && $0 != 0x7F || (0x09...0x0D).contains($0) || $0 == 0x1B }
        return isPlain && String(validating: text, as: UTF8.self) != nil
    }

    private static func sequenceBytes(_ first: UInt8) -> Int {
        switch first {
        case 0xF0...: 4
        case 0xE0...: 3
        default: 2
        }
    }
}
