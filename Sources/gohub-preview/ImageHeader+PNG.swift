extension ImageHeader {
    /// Portable Network Graphics (W3C, third edition), sections 5.2, 5.3, 11.2.1 and 11.3.4.6.
    ///
    /// An animation's default image is its preview: it stands first, and is the first frame as a rule.
    static func png(_ bytes: [UInt8]) throws(Malformed) -> ImageHeader {
        var reader = ByteReader(bytes[...])
        guard try reader.bytes(8).elementsEqual([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) else {
            throw Malformed()
        }
        guard try reader.bigEndian(4) == 13 else { throw Malformed() }
        try reader.expect("IHDR")
        var header = ImageHeader(width: try reader.bigEndian(4), height: try reader.bigEndian(4))
        // The rest of the chunk, and its check sum.
        try reader.skip(5 + 4)
        while true {
            let length = try reader.bigEndian(4)
            let type = try reader.bytes(4)
            // Exif may stand behind the image, too, where whoever draws while it loads hasn't seen it.
            if type.elementsEqual("IDAT".utf8) { return header }
            let content = try reader.bytes(length)
            if type.elementsEqual("eXIf".utf8) { header.orientation = Orientation(exif: content) }
            try reader.skip(4)
        }
    }
}
