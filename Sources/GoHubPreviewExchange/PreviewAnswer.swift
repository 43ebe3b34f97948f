/// The helper's answer on its standard output, written once, before it ends.
///
/// One byte identifies the case. For a preview, width and height follow (4 bytes each, big-endian), the length of the
/// placeholder (1 byte) and the placeholder, the length of the image (4 bytes) and the image, and nothing more.
public enum PreviewAnswer: Hashable, Sendable {
    /// Width and height are those of the displayed image; the preview is WebP.
    case preview(width: Int, height: Int, placeholder: String, webp: [UInt8])
    /// The image's header announces more pixels than `PreviewOrder.pixelsMax`.
    case tooManyPixels
    /// The image is incomplete, not of the given format, or needs too much memory.
    case unreadable
    /// The system didn't let the helper confine itself, so it hasn't examined the image.
    case unconfined
    /// Decoding would process the pixels more often than `PreviewBounds` allows.
    case tooMuchWork

    private static let headBytes = 14
    /// The maximum bytes of an encoded answer.
    public static let bytesMax = headBytes + PreviewBounds.placeholderBytesMax + PreviewBounds.imageBytesMax

    /// The bytes to write to standard output, at most `bytesMax` for a preview within `PreviewBounds`.
    public func encoded() -> [UInt8] {
        switch self {
        case .preview(let width, let height, let placeholder, let webp):
            var bytes: [UInt8] = [1]
            bytes += Self.bigEndian(width) + Self.bigEndian(height)
            bytes.append(UInt8(clamping: placeholder.utf8.count))
            bytes += placeholder.utf8
            bytes += Self.bigEndian(webp.count)
            return bytes + webp
        case .tooManyPixels: return [2]
        case .unreadable: return [3]
        case .unconfined: return [4]
        case .tooMuchWork: return [5]
        }
    }

    /// Parses an answer, which may come from a helper that an image has compromised: only data that every client may
    /// receive is accepted.
    ///
    /// - Returns: `nil` for an incomplete answer, and for one beyond `PreviewBounds`.
    public init?(_ bytes: [UInt8]) {
        switch bytes.first {
        case 1:
            guard let preview = Self.preview(bytes) else { return nil }
            self = preview
        case 2 where bytes.count == 1: self = .tooManyPixels
        case 3 where bytes.count == 1: self = .unreadable
        case 4 where bytes.count == 1: self = .unconfined
        case 5 where bytes.count == 1: self = .tooMuchWork
        default: return nil
        }
    }

    private static func preview(_ bytes: [UInt8]) -> PreviewAnswer? {
        guard (headBytes...bytesMax).contains(bytes.count) else { return nil }
        let width = number(bytes[1..<5])
        let height = number(bytes[5..<9])
        guard width > 0, height > 0 else { return nil }
        let placeholderEnd = 10 + Int(bytes[9])
        guard Int(bytes[9]) <= PreviewBounds.placeholderBytesMax, placeholderEnd + 4 <= bytes.count else { return nil }
        let placeholder = bytes[10..<placeholderEnd]
        // Printable, and without characters that JSON, HTML or a quoted attribute would have to escape.
        guard placeholder.allSatisfy({ (0x21...0x7E).contains($0) && !Array(#""'\&<>`"#.utf8).contains($0) }) else {
            return nil
        }
        let webp = bytes[(placeholderEnd + 4)...]
        guard number(bytes[placeholderEnd..<placeholderEnd + 4]) == webp.count,
            webp.count <= PreviewBounds.imageBytesMax, webp.starts(with: Array("RIFF".utf8)),
            webp.dropFirst(8).starts(with: Array("WEBP".utf8))
        else { return nil }
        return .preview(
            width: width, height: height, placeholder: String(decoding: placeholder, as: UTF8.self), webp: Array(webp))
    }

    private static func bigEndian(_ number: Int) -> [UInt8] {
        let number = UInt32(clamping: number)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reduce(0) { $0 << 8 | Int($1) }
    }
}
