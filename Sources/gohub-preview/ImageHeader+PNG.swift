extension ImageHeader {
    /// Portable Network Graphics (W3C, third edition), sections 5.2, 5.3, 11.2.1 and 11.3.4.6.
    ///
    /// An animation's default image is its preview: it comes first, and normally is the first frame.
    ///
    /// The decoder gets only the chunks that it draws from. It would inflate the others, texts and profiles, a thousand
    /// of them to 8 MB each, only to discard them.
    static func png(_ bytes: [UInt8]) throws(Malformed) -> ImageHeader {
        var reader = ByteReader(bytes[...])
        guard try reader.bytes(8).elementsEqual([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else {
            throw Malformed()
        }
        guard try reader.bigEndian(4) == 13 else { throw Malformed() }
        try reader.expect("IHDR")
        var header = ImageHeader(width: try reader.bigEndian(4), height: try reader.bigEndian(4))
        // The rest of the chunk, and its checksum.
        try reader.skip(5 + 4)
        while true {
            let length = try reader.bigEndian(4)
            let type = try reader.bytes(4)
            // Exif may also follow the image, where programs that draw while loading haven't seen it.
            if type.elementsEqual("IDAT".utf8) {
                header.still = drawnChunks(of: bytes)
                return header
            }
            let content = try reader.bytes(length)
            if type.elementsEqual("eXIf".utf8) { header.orientation = Orientation(exif: content) }
            try reader.skip(4)
        }
    }

    /// The file without undrawn data: with its critical chunks (section 5.4), and its transparency.
    ///
    /// - Returns: `nil` if that is the whole file. A truncated chunk is omitted, which the decoder detects.
    private static func drawnChunks(of bytes: [UInt8]) -> [UInt8]? {
        // Two passes over the chunks, of which there can be millions: to compute the size, and to copy.
        var drawnBytes = signatureBytes
        forEachDrawnChunk(of: bytes) { drawnBytes += $0.count }
        guard drawnBytes < bytes.count else { return nil }
        var still: [UInt8] = []
        still.reserveCapacity(drawnBytes)
        still += bytes[..<signatureBytes]
        forEachDrawnChunk(of: bytes) { still += $0 }
        return still
    }

    private static let signatureBytes = 8

    private static func forEachDrawnChunk(of bytes: [UInt8], _ body: (ArraySlice<UInt8>) -> Void) {
        var start = signatureBytes
        // The length of the content, the type, and the checksum.
        while bytes.count - start >= 12 {
            // Below 2^32, so that the sum is an `Int`.
            let end = start + 12 + bytes[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
            guard end <= bytes.count else { return }
            let type = bytes[(start + 4)..<(start + 8)]
            if bytes[start + 4] & 0x20 == 0 || type.elementsEqual("tRNS".utf8) { body(bytes[start..<end]) }
            if type.elementsEqual("IEND".utf8) { return }
            start = end
        }
    }
}
