internal import GoHubPreviewExchange

extension ImageHeader {
    /// JPEG (ITU-T T.81), sections B.1.1 and B.2.2; Exif in its first APP1 segment (Exif 2.32, section 4.7.2).
    ///
    /// Read marker by marker, like libjpeg: the size is that of the first frame header, and a second one is an error.
    /// Then the scans are counted; for each of them the decoder processes the image once more.
    static func jpeg(_ bytes: [UInt8]) throws(Malformed) -> ImageHeader {
        var reader = ByteReader(bytes[...])
        guard try reader.bigEndian(2) == 0xFFD8 else { throw Malformed() }
        var orientation: Orientation?
        while true {
            guard try reader.byte() == 0xFF else { throw Malformed() }
            let marker = try reader.markerAfterFill()
            switch marker {
            // TEM and RST have no segment.
            case 0x01, 0xD0...0xD7: continue
            // No image can begin, end, or have its data, before its frame header.
            case 0x00, 0xD8, 0xD9, 0xDA: throw Malformed()
            default: break
            }
            let length = try reader.bigEndian(2)
            var segment = ByteReader(try reader.bytes(length - 2))
            switch marker {
            // All SOF markers, without DHT, JPG and DAC, whose numbers lie between them.
            case 0xC0...0xCF where ![0xC4, 0xC8, 0xCC].contains(marker):
                try segment.skip(1)
                let height = try segment.bigEndian(2)
                let width = try segment.bigEndian(2)
                var header = ImageHeader(width: width, height: height, orientation: orientation ?? .upright)
                header.scans = try reader.countScans()
                header.work = product(header.work, header.scans)
                return header
            case 0xE1 where orientation == nil && segment.remaining.starts(with: Array("Exif\0".utf8)):
                try segment.skip(6)
                orientation = Orientation(exif: segment.remaining)
            default: break
            }
        }
    }
}

extension ByteReader {
    /// A marker may be preceded by any number of fill bytes (section B.1.1.2).
    fileprivate mutating func markerAfterFill() throws(Malformed) -> UInt8 {
        var marker = try byte()
        while marker == 0xFF { marker = try byte() }
        return marker
    }

    /// Reads from the frame header to the end of the image. Bytes between a scan's data and the next marker are
    /// skipped, like in libjpeg.
    ///
    /// - Returns: the number of scans, at most one more than allowed.
    fileprivate mutating func countScans() throws(Malformed) -> Int {
        var scans = 0
        while scans <= PreviewBounds.scansMax {
            try skip(through: 0xFF)
            let marker = try markerAfterFill()
            switch marker {
            // A data byte 0xFF, and the markers without a segment.
            case 0x00, 0x01, 0xD0...0xD7: continue
            case 0xD9: return scans
            case 0xDA: scans += 1
            default: break
            }
            try skip(try bigEndian(2) - 2)
        }
        return scans
    }
}
