import Glibc

/// Draws a placeholder as `Docs/Previews.md` specifies for clients.
enum BlurHashPixels {
    private static let digits = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~")

    struct Failure: Error {}

    /// - Returns: the colours of a grid, row by row.
    static func colors(_ text: String, width: Int, height: Int) throws -> [Color] {
        let characters = Array(text)
        func number(_ start: Int, _ count: Int) throws -> Int {
            guard start + count <= characters.count else { throw Failure() }
            return try characters[start..<start + count].reduce(0) {
                guard let digit = digits.firstIndex(of: $1) else { throw Failure() }
                return $0 * 83 + digit
            }
        }
        let size = try number(0, 1)
        let (columns, rows) = (size % 9 + 1, size / 9 + 1)
        guard characters.count == 4 + 2 * columns * rows else { throw Failure() }
        let scale = Double(try number(1, 1) + 1) / 166
        let average = try number(2, 4)
        var waves = [[16, 8, 0].map { light(average >> $0 & 0xFF) }]
        for index in 1..<(columns * rows) {
            let packed = try number(4 + 2 * index, 2)
            waves.append(
                [packed / 361, packed / 19 % 19, packed % 19].map {
                    let value = Double($0 - 9) / 9
                    return (value < 0 ? -value * value : value * value) * scale
                })
        }
        var colors: [Color] = []
        for y in 0..<height {
            for x in 0..<width {
                var sum = [0.0, 0.0, 0.0]
                for (index, wave) in waves.enumerated() {
                    let factor =
                        cos(.pi * Double(x) * Double(index % columns) / Double(width))
                        * cos(.pi * Double(y) * Double(index / columns) / Double(height))
                    for channel in 0..<3 { sum[channel] += wave[channel] * factor }
                }
                colors.append(Color(red: value(sum[0]), green: value(sum[1]), blue: value(sum[2])))
            }
        }
        return colors
    }

    private static func light(_ value: Int) -> Double {
        let value = Double(value) / 255
        return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }

    private static func value(_ light: Double) -> Int {
        let light = min(max(light, 0), 1)
        return Int((light <= 0.0031308 ? light * 12.92 : 1.055 * pow(light, 1 / 2.4) - 0.055) * 255 + 0.5)
    }
}
