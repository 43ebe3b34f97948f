/// The orientation of a stored image (Exif 2.32, section 4.6.4, tag 0x0112): the displayed sides of the first row and
/// the first column.
enum Orientation: Int, CaseIterable {
    case upright = 1
    case mirrored
    case upsideDown
    case flipped
    case transposed
    /// To be rotated clockwise by 90°: stored by phones held upright.
    case clockwise
    case transversed
    case counterclockwise

    /// Whether the displayed width is the stored height.
    var swapsSides: Bool { rawValue >= Orientation.transposed.rawValue }

    /// The stored position of a displayed pixel.
    ///
    /// - Parameters:
    ///   - width: the stored width.
    ///   - height: the stored height.
    func stored(x: Int, y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
        switch self {
        case .upright: (x, y)
        case .mirrored: (width - 1 - x, y)
        case .upsideDown: (width - 1 - x, height - 1 - y)
        case .flipped: (x, height - 1 - y)
        case .transposed: (y, x)
        case .clockwise: (y, height - 1 - x)
        case .transversed: (width - 1 - y, height - 1 - x)
        case .counterclockwise: (width - 1 - y, x)
        }
    }
}

extension Orientation {
    /// Searches for the tag in a TIFF header and its first directory (TIFF 6.0, section 2), the form of Exif in PNG,
    /// JPEG and WebP files.
    ///
    /// Unreadable Exif means upright, as in browsers: an image is not worse for a broken Exif.
    init(exif: ArraySlice<UInt8>) {
        self = (try? Self.read(exif)) ?? .upright
    }

    private static let tag = 0x0112
    private static let short = 3

    private static func read(_ exif: ArraySlice<UInt8>) throws(Malformed) -> Orientation? {
        var header = ByteReader(exif)
        let isLittleEndian: Bool
        switch try header.bigEndian(2) {
        case 0x4949: isLittleEndian = true
        case 0x4D4D: isLittleEndian = false
        default: return nil
        }
        func number(_ count: Int, _ reader: inout ByteReader) throws(Malformed) -> Int {
            isLittleEndian ? try reader.littleEndian(count) : try reader.bigEndian(count)
        }
        guard try number(2, &header) == 42 else { return nil }
        var directory = ByteReader(exif)
        try directory.skip(try number(4, &header))
        for _ in 0..<(try number(2, &directory)) {
            let tag = try number(2, &directory)
            let type = try number(2, &directory)
            let count = try number(4, &directory)
            // A value of up to 4 bytes is in the entry itself, at its front.
            let value = try number(2, &directory)
            try directory.skip(2)
            guard tag == Self.tag else { continue }
            return type == short && count == 1 ? Orientation(rawValue: value) : nil
        }
        return nil
    }
}
