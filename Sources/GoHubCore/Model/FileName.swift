/// The name of a file, for people to read. It never becomes part of a path on the hub.
///
/// A name comes from an untrusted device and appears in another user's save dialogue. Harmful parts are removed or
/// refused: no directories, no control characters, no characters that change the direction of the text (which turn
/// `exe.jpg` into `gpj.exe`), no dots or spaces at the ends, which hide a file or are dropped by Windows.
public struct FileName: Hashable, Sendable, CustomStringConvertible {
    /// 1–255 bytes of UTF-8.
    public let value: String

    /// The maximum bytes of UTF-8: the limit of file systems.
    public static let bytesMax = 255
    /// The replacement for a name of which nothing is left.
    public static let fallback = FileName(unchecked: "file")

    /// Accepts a name unchanged; `nil` when it is invalid or `cleaning` would change it.
    public init?(_ value: String) {
        guard FileName(cleaning: value).value.hasSameBytes(as: value) else { return nil }
        self.value = value
    }

    /// Makes a name of any text: the last part of a path, without forbidden characters, truncated to `bytesMax` with
    /// its extension kept; `fallback` when nothing is left.
    public init(cleaning name: String) {
        let last = name.unicodeScalars.split { $0 == "/" || $0 == "\\" }.last.map { Array($0) } ?? []
        let kept = last.filter { !Self.isHostile($0) }
        let trimmed = Self.trimmed(kept[...])
        let cut = Self.cut(trimmed)
        value = cut.isEmpty ? Self.fallback.value : Self.text(cut)
    }

    private init(unchecked value: String) {
        self.value = value
    }

    public static func == (left: FileName, right: FileName) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }

    // MARK: -

    private static func isHostile(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Controls, characters that Windows forbids in names, and the replacement character, which stands for invalid
        // bytes.
        case 0...0x1F, 0x7F...0x9F, 0xFFFD, 0xFFFE, 0xFFFF: true
        case 0x22, 0x2A, 0x3A, 0x3C, 0x3E, 0x3F, 0x7C: true
        // Direction marks, embeddings, overrides and isolates; line separators; zero-width joiners; tags.
        case 0x061C, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x2064, 0x2066...0x206F, 0xFEFF: true
        case 0xE0000...0xE007F: true
        default: false
        }
    }

    private static func trimmed(_ scalars: ArraySlice<Unicode.Scalar>) -> ArraySlice<Unicode.Scalar> {
        func isEdge(_ scalar: Unicode.Scalar) -> Bool { scalar == "." || scalar.properties.isWhitespace }
        let start = scalars.drop(while: isEdge)
        return start.prefix(upTo: start.lastIndex { !isEdge($0) }.map { $0 + 1 } ?? start.startIndex)
    }

    /// The longest prefix that fits together with the extension, which identifies the program.
    private static func cut(_ scalars: ArraySlice<Unicode.Scalar>) -> ArraySlice<Unicode.Scalar> {
        guard bytes(scalars) > bytesMax else { return scalars }
        let dot = scalars.lastIndex(of: ".")
        let end = dot.map { scalars[$0...] } ?? []
        let keepsEnd = bytes(end) <= 32
        var left = bytesMax - (keepsEnd ? bytes(end) : 0)
        let start = (keepsEnd ? scalars[..<(dot ?? scalars.endIndex)] : scalars).prefix { scalar in
            left -= UTF8.width(scalar)
            return left >= 0
        }
        return trimmed((trimmed(start) + (keepsEnd ? Array(end) : []))[...])
    }

    private static func bytes(_ scalars: ArraySlice<Unicode.Scalar>) -> Int {
        scalars.reduce(0) { $0 + UTF8.width($1) }
    }

    private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var text = String.UnicodeScalarView()
        text.append(contentsOf: scalars)
        return String(text)
    }
}
