internal import Glibc

/// A blurred image in a few characters: the lowest frequencies of its colours (the BlurHash format,
/// https://github.com/woltapp/blurhash/blob/master/Algorithm.md).
///
/// `Docs/Previews.md` describes the characters and how to draw them.
enum BlurHash {
    private static let digits = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~".utf8)

    /// - Returns: 28 characters; the image is drawn over white.
    static func encode(_ grid: PixelGrid) -> String {
        let (columns, rows) = grid.width >= grid.height ? (4, 3) : (3, 4)
        let waves = waves(of: grid, columns: columns, rows: rows)
        let strongest = waves.dropFirst().reduce(Float(0)) {
            max($0, abs($1.red), abs($1.green), abs($1.blue))
        }
        let scale = min(max(Int(strongest * 166 - 0.5), 0), 82)
        var text: [UInt8] = []
        append((columns - 1) + (rows - 1) * 9, count: 1, to: &text)
        append(scale, count: 1, to: &text)
        append(average(waves[0]), count: 4, to: &text)
        for wave in waves.dropFirst() {
            append(contrast(wave, scale: Float(scale + 1) / 166), count: 2, to: &text)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The image's component for each product of two cosines, row by row; the first is its average.
    private static func waves(of grid: PixelGrid, columns: Int, rows: Int) -> [LinearColor] {
        let horizontal = cosines(columns, grid.width)
        let vertical = cosines(rows, grid.height)
        var waves = [LinearColor](repeating: LinearColor(), count: columns * rows)
        for y in 0..<grid.height {
            // The rows' sums first: each pixel is then multiplied by the cosines of one direction only.
            var sums = [LinearColor](repeating: LinearColor(), count: columns)
            for x in 0..<grid.width {
                let color = LinearColor(overWhite: grid[x, y])
                for column in 0..<columns { sums[column] += color * horizontal[column][x] }
            }
            for row in 0..<rows {
                for column in 0..<columns { waves[row * columns + column] += sums[column] * vertical[row][y] }
            }
        }
        let pixels = Float(grid.width * grid.height)
        return waves.enumerated().map { $1 * (($0 == 0 ? 1 : 2) / pixels) }
    }

    private static func cosines(_ count: Int, _ length: Int) -> [[Float]] {
        (0..<count).map { wave in
            (0..<length).map { cosf(.pi * Float(wave) * Float($0) / Float(length)) }
        }
    }

    private static func average(_ color: LinearColor) -> Int {
        [color.red, color.green, color.blue].reduce(0) { $0 << 8 | LinearColor.value(ofLight: $1) }
    }

    private static func contrast(_ wave: LinearColor, scale: Float) -> Int {
        [wave.red, wave.green, wave.blue].reduce(0) { number, value in
            let root = copysignf(sqrtf(abs(value / scale)), value)
            return number * 19 + min(max(Int((root * 9 + 9.5).rounded(.down)), 0), 18)
        }
    }

    private static func append(_ number: Int, count: Int, to text: inout [UInt8]) {
        var number = number
        var part: [UInt8] = []
        for _ in 0..<count {
            part.append(digits[number % 83])
            number /= 83
        }
        text += part.reversed()
    }
}
