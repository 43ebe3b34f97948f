import CGoHubGD
import Glibc

/// A test image, drawn and encoded with the library that the helper decodes with.
final class Drawing {
    let image: gdImagePtr

    struct Failure: Error {}

    /// - Parameter pixel: the colour at (x, y) in libgd's order: transparency of 7 bits, red, green, blue.
    init(width: Int, height: Int, pixel: (Int, Int) -> Int32) throws {
        guard let image = gdImageCreateTrueColor(Int32(width), Int32(height)) else { throw Failure() }
        self.image = image
        gdImageAlphaBlending(image, 0)
        gdImageSaveAlpha(image, 1)
        for y in 0..<height {
            for x in 0..<width { gdImageSetPixel(image, Int32(x), Int32(y), pixel(x, y)) }
        }
    }

    /// Reads a WebP file.
    init(webp: [UInt8]) throws {
        var webp = webp
        guard let image = gdImageCreateFromWebpPtr(Int32(webp.count), &webp) else { throw Failure() }
        self.image = image
    }

    deinit {
        gdImageDestroy(image)
    }

    var width: Int { Int(image.pointee.sx) }
    var height: Int { Int(image.pointee.sy) }

    func color(_ x: Int, _ y: Int) -> Color {
        let pixel = gdImageGetTrueColorPixel(image, Int32(x), Int32(y))
        return Color(
            red: Int(pixel >> 16 & 0xFF), green: Int(pixel >> 8 & 0xFF), blue: Int(pixel & 0xFF),
            transparency: Int(pixel >> 24 & 0x7F))
    }

    // MARK: Files

    func png() throws -> [UInt8] { try bytes { gdImagePngPtr(image, $0) } }
    func jpeg(quality: Int32 = 95) throws -> [UInt8] { try bytes { gdImageJpegPtr(image, $0, quality) } }

    func progressiveJPEG() throws -> [UInt8] {
        gdImageInterlace(image, 1)
        defer { gdImageInterlace(image, 0) }
        return try jpeg()
    }

    func webp(quality: Int32 = 95) throws -> [UInt8] { try bytes { gdImageWebpPtrEx(image, $0, quality) } }

    func gif() throws -> [UInt8] {
        try bytes { gdImageGifPtr(image, $0) }
    }

    /// By format name.
    func file(_ format: String) throws -> [UInt8] {
        switch format {
        case "png": try png()
        case "jpeg": try jpeg()
        case "gif": try gif()
        default: try webp()
        }
    }

    private func bytes(_ write: (UnsafeMutablePointer<Int32>) -> UnsafeMutableRawPointer?) throws -> [UInt8] {
        var count: Int32 = 0
        guard let bytes = write(&count) else { throw Failure() }
        defer { gdFree(bytes) }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    }
}

struct Color: Equatable, CustomStringConvertible {
    var red: Int
    var green: Int
    var blue: Int
    var transparency = 0

    static let red = Color(red: 230, green: 20, blue: 20)
    static let green = Color(red: 20, green: 200, blue: 20)
    static let blue = Color(red: 20, green: 20, blue: 230)
    static let yellow = Color(red: 230, green: 220, blue: 20)

    var pixel: Int32 { Int32(transparency << 24 | red << 16 | green << 8 | blue) }

    /// The difference that a lossy format, or a blur, may cause.
    func isNear(_ other: Color, by distance: Int = 40) -> Bool {
        abs(red - other.red) <= distance && abs(green - other.green) <= distance && abs(blue - other.blue) <= distance
            && abs(transparency - other.transparency) <= distance / 2
    }

    var description: String { "(\(red), \(green), \(blue), \(transparency))" }
}

extension Drawing {
    /// Each quarter in a colour of its own, by rows from the top left: red, green, blue, yellow.
    static func quarters(width: Int, height: Int) throws -> Drawing {
        try Drawing(width: width, height: height) { x, y in
            let colors: [Color] = [.red, .green, .blue, .yellow]
            return colors[(y * 2 >= height ? 2 : 0) + (x * 2 >= width ? 1 : 0)].pixel
        }
    }

    /// The colours at the middles of the four quarters, by rows from the top left.
    var quarters: [Color] {
        [(1, 1), (3, 1), (1, 3), (3, 3)].map { color($0.0 * width / 4, $0.1 * height / 4) }
    }
}
