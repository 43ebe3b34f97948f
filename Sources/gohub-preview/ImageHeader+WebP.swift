extension ImageHeader {
    /// WebP (RFC 9649, section 2).
    static func webp(_ bytes: [UInt8]) throws(Malformed) -> ImageHeader {
        var file = ByteReader(bytes[...])
        try file.expect("RIFF")
        // The length of the rest; later bytes don't belong to the file.
        var reader = ByteReader(try file.bytes(try file.littleEndian(4)))
        try reader.expect("WEBP")
        let first = try reader.chunk()
        guard first.type == "VP8X" else {
            let (width, height) = try size(of: first)
            return ImageHeader(width: width, height: height)
        }
        var extended = ByteReader(first.content)
        let flags = try extended.byte()
        try extended.skip(3)
        let width = try extended.littleEndian(3) + 1
        let height = try extended.littleEndian(3) + 1
        var header = ImageHeader(width: width, height: height)
        let isAnimation = flags & 0x02 != 0
        while !reader.isAtEnd {
            let chunk = try reader.chunk()
            switch chunk.type {
            case "ANMF" where isAnimation && header.still == nil: try header.takeFrame(chunk.content)
            case "EXIF":
                // The prefix is JPEG's, and some programs write it here, too.
                let hasPrefix = chunk.content.starts(with: Array("Exif\0\0".utf8))
                header.orientation = Orientation(exif: chunk.content.dropFirst(hasPrefix ? 6 : 0))
            default: break
            }
        }
        guard !isAnimation || header.still != nil else { throw Malformed() }
        return header
    }

    /// Section 2.7.1.1: libwebp's simple decoder doesn't support animations, so it gets the first frame as a separate
    /// file.
    private mutating func takeFrame(_ content: ArraySlice<UInt8>) throws(Malformed) {
        var reader = ByteReader(content)
        let left = 2 * (try reader.littleEndian(3))
        let top = 2 * (try reader.littleEndian(3))
        let size = try reader.bytes(6)
        var sizeReader = ByteReader(size)
        frame = Frame(
            left: left, top: top, width: try sizeReader.littleEndian(3) + 1,
            height: try sizeReader.littleEndian(3) + 1)
        // The frame's duration and flags.
        try reader.skip(4)
        let hasAlpha: UInt8 = reader.remaining.starts(with: Array("ALPH".utf8)) ? 0x10 : 0
        let extended = Array("VP8X".utf8) + [10, 0, 0, 0, hasAlpha, 0, 0, 0] + size
        let chunks = Array("WEBP".utf8) + extended + reader.remaining
        let length = (0..<4).map { UInt8(truncatingIfNeeded: chunks.count >> (8 * $0)) }
        still = Array("RIFF".utf8) + length + chunks
    }

    /// For a lossy (RFC 6386, section 9.1) or a lossless image (RFC 9649, section 3.4).
    private static func size(of chunk: (type: String, content: ArraySlice<UInt8>)) throws(Malformed) -> (Int, Int) {
        var reader = ByteReader(chunk.content)
        switch chunk.type {
        case "VP8 ":
            // The frame's tag and start code.
            try reader.skip(6)
            return (try reader.littleEndian(2) & 0x3FFF, try reader.littleEndian(2) & 0x3FFF)
        case "VP8L":
            guard try reader.byte() == 0x2F else { throw Malformed() }
            let bits = try reader.littleEndian(4)
            return (bits & 0x3FFF + 1, bits >> 14 & 0x3FFF + 1)
        default: throw Malformed()
        }
    }
}

extension ByteReader {
    /// A four-character name, the length of the content, the content, and a byte that makes the length even, which may
    /// be missing at the end.
    fileprivate mutating func chunk() throws(Malformed) -> (type: String, content: ArraySlice<UInt8>) {
        let type = String(decoding: try bytes(4), as: UTF8.self)
        let length = try littleEndian(4)
        let content = try bytes(length)
        if length % 2 == 1, !isAtEnd { try skip(1) }
        return (type, content)
    }
}
