/// Files with metadata as other software writes them, built by hand around libgd's output.
enum Files {
    /// A word that must not reach the preview. It is in every kind of metadata below.
    static let secret = "SECRET-PLACE"

    // MARK: Exif

    /// A TIFF file with an orientation and a location: two directories (TIFF 6.0, section 2; Exif 2.32, section 4.6.6).
    static func exif(orientation: Int, isLittleEndian: Bool = true) -> [UInt8] {
        func number(_ value: Int, _ count: Int) -> [UInt8] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            return isLittleEndian ? bytes : bytes.reversed()
        }
        var bytes: [UInt8] = isLittleEndian ? Array("II".utf8) : Array("MM".utf8)
        func append(_ numbers: [(value: Int, bytes: Int)]) {
            for entry in numbers { bytes += number(entry.value, entry.bytes) }
        }
        append([(42, 2), (8, 4)])
        append([(2, 2), (0x0112, 2), (3, 2), (1, 4), (orientation, 2)])
        bytes += [0, 0]
        // The location's directory follows this one: 8 + 2 + 2 × 12 + 4.
        append([(0x8825, 2), (4, 2), (1, 4), (38, 4), (0, 4)])
        // One entry, GPSMapDatum, whose text follows it: 38 + 2 + 12 + 4.
        append([(1, 2), (0x12, 2), (2, 2), (secret.utf8.count + 1, 4), (56, 4), (0, 4)])
        bytes += secret.utf8
        bytes.append(0)
        return bytes
    }

    // MARK: JPEG

    /// Inserts an Exif segment and a comment after the first marker.
    static func jpeg(_ file: [UInt8], exif: [UInt8]) -> [UInt8] {
        let exif = segment(0xE1, Array("Exif\0\0".utf8) + exif)
        var bytes = Array(file[..<2])
        bytes += exif
        bytes += segment(0xFE, Array(secret.utf8))
        bytes += file[2...]
        return bytes
    }

    private static func segment(_ marker: UInt8, _ content: [UInt8]) -> [UInt8] {
        let length = content.count + 2
        return [0xFF, marker, UInt8(length >> 8), UInt8(length & 0xFF)] + content
    }

    /// Writes another size into the frame header of a baseline file.
    static func jpeg(_ file: [UInt8], width: Int, height: Int) -> [UInt8] {
        var file = file
        for index in 0..<(file.count - 9) where file[index] == 0xFF && file[index + 1] == 0xC0 {
            file.replaceSubrange(
                (index + 5)..<(index + 9),
                with: [UInt8(height >> 8), UInt8(height & 0xFF), UInt8(width >> 8), UInt8(width & 0xFF)])
            break
        }
        return file
    }

    /// A file with several scans, the last of which is repeated.
    static func jpeg(_ file: [UInt8], lastScanTimes times: Int) -> [UInt8] {
        let scan = Array(file[lastScan(of: file)..<(file.count - 2)])
        return file.dropLast(2) + (1..<times).flatMap { _ in scan } + file.suffix(2)
    }

    static func jpeg(_ file: [UInt8], commentBeforeTheLastScan comment: [UInt8]) -> [UInt8] {
        let index = lastScan(of: file)
        return Array(file[..<index]) + segment(0xFE, comment) + file[index...]
    }

    /// The position of its marker: in a scan's data, 0xFF is followed by 0.
    private static func lastScan(of file: [UInt8]) -> Int {
        (0..<(file.count - 1)).last { file[$0] == 0xFF && file[$0 + 1] == 0xDA } ?? 0
    }

    // MARK: PNG

    /// The names of a file's chunks.
    static func chunkNames(ofPNG file: [UInt8]) -> [String] {
        var names: [String] = []
        var rest = file.dropFirst(8)
        while rest.count >= 12 {
            names.append(String(decoding: rest.dropFirst(4).prefix(4), as: UTF8.self))
            rest = rest.dropFirst(12 + rest.prefix(4).reduce(0) { $0 << 8 | Int($1) })
        }
        return names
    }

    /// Inserts an Exif chunk and a text chunk after the header.
    static func png(_ file: [UInt8], exif: [UInt8]) -> [UInt8] {
        // The signature and IHDR.
        let end = 8 + 25
        var bytes = Array(file[..<end])
        bytes += chunk("eXIf", exif)
        bytes += chunk("tEXt", Array("Comment\0\(secret)".utf8))
        bytes += file[end...]
        return bytes
    }

    /// A header alone, with image data that must never be read.
    static func png(width: UInt32, height: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        bytes += chunk("IHDR", bigEndian(width) + bigEndian(height) + [1, 0, 0, 0, 0] as [UInt8])
        bytes += chunk("IDAT", [0x78, 0x9C, 0x03, 0])
        bytes += chunk("IEND", [])
        return bytes
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
        let checked = Array(type.utf8) + content
        return bigEndian(UInt32(content.count)) + checked + bigEndian(checkSum(checked))
    }

    /// CRC-32 as in PNG, appendix D.
    private static func checkSum(_ bytes: [UInt8]) -> UInt32 {
        var sum: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 {
                let isOdd = sum & 1 == 1
                sum >>= 1
                if isOdd { sum ^= 0xEDB8_8320 }
            }
        }
        return ~sum
    }

    // MARK: WebP

    /// An extended file with a simple file's image and Exif after it.
    static func webp(_ file: [UInt8], width: Int, height: Int, exif: [UInt8]) -> [UInt8] {
        var bytes = extended(flags: 0x08, width: width, height: height)
        bytes += file[12...]
        bytes += riffChunk("EXIF", exif)
        return riff(bytes)
    }

    /// An animation of simple files, each with its frame's position.
    static func animation(
        width: Int, height: Int, frames: [(file: [UInt8], left: Int, top: Int, width: Int, height: Int)]
    ) -> [UInt8] {
        var bytes = extended(flags: 0x02, width: width, height: height)
        bytes += riffChunk("ANIM", [0, 0, 0, 0, 0, 0])
        for frame in frames {
            var content: [UInt8] = []
            // The position, the size, and the duration.
            for number in [frame.left / 2, frame.top / 2, frame.width - 1, frame.height - 1, 100] {
                content += three(number)
            }
            content.append(0)
            content += frame.file[12...]
            bytes += riffChunk("ANMF", content)
        }
        return riff(bytes)
    }

    /// The names of a file's chunks.
    static func chunkNames(ofWebP file: [UInt8]) -> [String] {
        var names: [String] = []
        var rest = file.dropFirst(12)
        while rest.count >= 8 {
            names.append(String(decoding: rest.prefix(4), as: UTF8.self))
            let length = rest.dropFirst(4).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(8 + length + length % 2)
        }
        return names
    }

    private static func extended(flags: UInt8, width: Int, height: Int) -> [UInt8] {
        let head: [UInt8] = [flags, 0, 0, 0]
        return riffChunk("VP8X", head + three(width - 1) + three(height - 1))
    }

    private static func riff(_ chunks: [UInt8]) -> [UInt8] {
        Array("RIFF".utf8) + four(chunks.count + 4) + Array("WEBP".utf8) + chunks
    }

    private static func riffChunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        var bytes = Array(name.utf8) + four(content.count) + content
        if content.count % 2 == 1 { bytes.append(0) }
        return bytes
    }

    private static func three(_ value: Int) -> [UInt8] { Array(four(value).prefix(3)) }

    private static func four(_ value: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    // MARK: GIF

    static let gifClear = 4
    static let gifEnd = 5

    /// A file of four colours whose image has these codes, after a clear code (GIF89a, appendix F).
    static func gif(width: Int, height: Int, codes: [Int]) -> [UInt8] {
        var (data, bits, bitsCount): ([UInt8], Int, Int) = ([], 0, 0)
        var (codeBits, next, isFresh) = (3, 6, true)
        for code in [gifClear] + codes {
            bits |= code << bitsCount
            bitsCount += codeBits
            while bitsCount >= 8 {
                data.append(UInt8(truncatingIfNeeded: bits))
                bits >>= 8
                bitsCount -= 8
            }
            if code == gifClear {
                (codeBits, next, isFresh) = (3, 6, true)
            } else if isFresh {
                isFresh = false
            } else if next < 4096 {
                next += 1
                if next == 1 << codeBits, codeBits < 12 { codeBits += 1 }
            }
        }
        data += [UInt8(truncatingIfNeeded: bits), 0]
        let size = [width, height].flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        var file = Array("GIF89a".utf8) + size + [0x81, 0, 0]
        for color in [0, 80, 160, 240] as [UInt8] { file += [color, color, color] }
        file += [0x2C, 0, 0, 0, 0] + size + [0, 2]
        for start in stride(from: 0, to: data.count, by: 255) {
            let block = data[start..<min(start + 255, data.count)]
            file.append(UInt8(block.count))
            file += block
        }
        return file + [0, 0x3B]
    }

    /// Writes other sizes into a file: the screen's, and the first frame's, which follows the colours.
    static func gif(_ file: [UInt8], screen: (Int, Int), frame: (Int, Int)) -> [UInt8] {
        func size(_ size: (Int, Int)) -> [UInt8] {
            [size.0 & 0xFF, size.0 >> 8, size.1 & 0xFF, size.1 >> 8].map { UInt8($0) }
        }
        var file = file
        file.replaceSubrange(6..<10, with: size(screen))
        let frameStart = 13 + (3 << Int(file[10] & 7 + 1))
        file.replaceSubrange((frameStart + 5)..<(frameStart + 9), with: size(frame))
        return file
    }
}
