extension ImageHeader {
    /// GIF89a, sections 17 to 26.
    ///
    /// libgd's decoder stops in silence where the data ends, so that the first frame is whole is seen to here.
    static func gif(_ bytes: [UInt8]) throws(Malformed) -> ImageHeader {
        var reader = ByteReader(bytes[...])
        try reader.expect("GIF8")
        guard [0x37, 0x39].contains(try reader.byte()) else { throw Malformed() }
        try reader.expect("a")
        let width = try reader.littleEndian(2)
        let height = try reader.littleEndian(2)
        try reader.skipColorTable(flags: try reader.byte(), between: 2)
        while true {
            switch try reader.byte() {
            case UInt8(ascii: "!"):
                // Its label, then blocks.
                try reader.skip(1)
                try reader.skipBlocks()
            case UInt8(ascii: ","):
                let left = try reader.littleEndian(2)
                let top = try reader.littleEndian(2)
                let frame = Frame(
                    left: left, top: top, width: try reader.littleEndian(2), height: try reader.littleEndian(2))
                try reader.skipColorTable(flags: try reader.byte(), between: 0)
                // The code size, then the image.
                try reader.skip(1)
                try reader.skipBlocks()
                return ImageHeader(width: width, height: height, frame: frame)
            default: throw Malformed()
            }
        }
    }
}

extension ByteReader {
    /// - Parameters:
    ///   - flags: whose highest bit says whether there is a table, and whose lowest three how large it is.
    ///   - between: bytes that stand before it.
    fileprivate mutating func skipColorTable(flags: UInt8, between: Int) throws(Malformed) {
        try skip(between)
        if flags & 0x80 != 0 { try skip(3 << (Int(flags & 7) + 1)) }
    }

    /// Blocks of up to 255 bytes, each with its length before it, up to an empty one.
    fileprivate mutating func skipBlocks() throws(Malformed) {
        while true {
            let length = try byte()
            if length == 0 { return }
            try skip(Int(length))
        }
    }
}
