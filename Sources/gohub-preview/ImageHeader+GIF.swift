internal import GoHubPreviewExchange

extension ImageHeader {
    /// GIF89a, sections 17 to 26.
    ///
    /// libgd's decoder stops silently where the data ends, so this checks that the first frame is complete.
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
                var header = ImageHeader(width: width, height: height, frame: frame)
                // The code size, then the image.
                var codes = try GIFCodes(dataBits: Int(try reader.byte()))
                try reader.readBlocks { codes.read($0) }
                header.work += ImageHeader.product(codes.clears, PreviewBounds.pixelsPerClearCode)
                return header
            default: throw Malformed()
            }
        }
    }
}

extension ByteReader {
    /// - Parameters:
    ///   - flags: the highest bit is set if there is a table; the lowest three are its size.
    ///   - between: the number of bytes before it.
    fileprivate mutating func skipColorTable(flags: UInt8, between: Int) throws(Malformed) {
        try skip(between)
        if flags & 0x80 != 0 { try skip(3 << (Int(flags & 7) + 1)) }
    }

    fileprivate mutating func skipBlocks() throws(Malformed) { try readBlocks { _ in } }

    /// Blocks of up to 255 bytes, each after its length, up to an empty one.
    fileprivate mutating func readBlocks(_ body: (ArraySlice<UInt8>) -> Void) throws(Malformed) {
        while true {
            let length = try byte()
            if length == 0 { return }
            body(try bytes(Int(length)))
        }
    }
}

/// Counts the clear codes of an image (GIF89a, appendix F): for each, the decoder empties its table, which costs many
/// times as much as a pixel. Only the number of entries in the table matters for that.
struct GIFCodes {
    private static let codeBitsMax = 12

    private let clear: Int
    private let dataBits: Int
    private var codeBits: Int
    /// The next entry of the table.
    private var next: Int
    /// True after a clear code and at the start: the next code makes no entry.
    private var isFresh = true
    private var isOver = false
    private var bits = 0
    private var bitsCount = 0
    private(set) var clears = 0

    /// - Parameter dataBits: as stated by the image; should be 2 to 8.
    init(dataBits: Int) throws(Malformed) {
        guard (1..<Self.codeBitsMax).contains(dataBits) else { throw Malformed() }
        self.dataBits = dataBits
        clear = 1 << dataBits
        codeBits = dataBits + 1
        next = clear + 2
    }

    mutating func read(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes where !isOver {
            bits |= Int(byte) << bitsCount
            bitsCount += 8
            while bitsCount >= codeBits, !isOver {
                let code = bits & ((1 << codeBits) - 1)
                bits >>= codeBits
                bitsCount -= codeBits
                take(code)
            }
        }
    }

    private mutating func take(_ code: Int) {
        if code == clear {
            // The decoder skips several in a row.
            if !isFresh || clears == 0 { clears += 1 }
            (codeBits, next, isFresh) = (dataBits + 1, clear + 2, true)
        } else if isFresh {
            // The decoder treats any value as a pixel.
            isFresh = false
        } else if code == clear + 1 {
            isOver = true
        } else if next < 1 << Self.codeBitsMax {
            next += 1
            if next >= 1 << codeBits, codeBits < Self.codeBitsMax { codeBits += 1 }
        }
    }
}
