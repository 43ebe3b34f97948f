internal import Glibc

/// A small image in memory, row by row from the top.
///
/// A pixel has libgd's format: 7 bits of transparency (0 opaque, 127 invisible), then 8 each of red, green and blue.
struct PixelGrid: Hashable {
    static let transparent: UInt32 = 127 << 24

    let width: Int
    let height: Int
    private var pixels: [UInt32] = []

    /// - Parameter pixel: called for each (x, y).
    init(width: Int, height: Int, pixel: (Int, Int) -> UInt32) {
        self.width = width
        self.height = height
        pixels.reserveCapacity(width * height)
        for y in 0..<height {
            for x in 0..<width { pixels.append(pixel(x, y)) }
        }
    }

    subscript(x: Int, y: Int) -> UInt32 { pixels[y * width + x] }

    /// Applies an orientation.
    func turned(_ orientation: Orientation) -> PixelGrid {
        guard orientation != .upright else { return self }
        let (seenWidth, seenHeight) = orientation.swapsSides ? (height, width) : (width, height)
        return PixelGrid(width: seenWidth, height: seenHeight) { x, y in
            let stored = orientation.stored(x: x, y: y, width: width, height: height)
            return self[stored.x, stored.y]
        }
    }
}

/// Red, green and blue as amounts of light, 0 to 1, which can be added and averaged, unlike sRGB values.
struct LinearColor: Hashable {
    var red: Float = 0
    var green: Float = 0
    var blue: Float = 0

    /// The colour of a pixel drawn over white.
    init(overWhite pixel: UInt32) {
        let opacity = 1 - Float(pixel >> 24 & 0x7F) / 127
        func channel(_ shift: UInt32) -> Float {
            opacity * Self.light[Int(pixel >> shift & 0xFF)] + (1 - opacity)
        }
        self.init(red: channel(16), green: channel(8), blue: channel(0))
    }

    init(red: Float = 0, green: Float = 0, blue: Float = 0) {
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    static func += (sum: inout LinearColor, other: LinearColor) {
        sum.red += other.red
        sum.green += other.green
        sum.blue += other.blue
    }

    static func * (color: LinearColor, factor: Float) -> LinearColor {
        LinearColor(red: color.red * factor, green: color.green * factor, blue: color.blue * factor)
    }

    /// The light of each of the 256 sRGB values (IEC 61966-2-1).
    private static let light: [Float] = (0..<256).map { value in
        let value = Float(value) / 255
        return value <= 0.04045 ? value / 12.92 : powf((value + 0.055) / 1.055, 2.4)
    }

    /// The sRGB value for an amount of light.
    static func value(ofLight light: Float) -> Int {
        let light = min(max(light, 0), 1)
        let value = light <= 0.0031308 ? light * 12.92 : 1.055 * powf(light, 1 / 2.4) - 0.055
        return Int(value * 255 + 0.5)
    }
}
