public import GoHubCore

/// The image formats that previews support, as detected from a file's first bytes.
public enum ImageFormat: String, CaseIterable, Hashable, Sendable {
    case png
    case jpeg
    case gif
    case webp

    /// As in `Content-Type` (RFC 9110, section 8.3).
    public var mediaType: String { "image/\(rawValue)" }

    /// - Returns: `nil` for types without previews.
    public init?(_ type: FileType) {
        guard let format = Self.allCases.first(where: { $0.mediaType == type.rawValue }) else { return nil }
        self = format
    }
}

/// The preview of an image: shown before or instead of the image itself.
public struct ImagePreview: Hashable, Sendable {
    /// The image's displayed width in pixels, with its orientation (Exif 2.32, section 4.6.4, tag 0x0112) applied.
    public let width: Int
    /// The image's displayed height in pixels, with its orientation applied.
    public let height: Int
    /// A WebP file (RFC 9649) without metadata: at most 480 pixels on the longer edge, never larger than the image, at
    /// most 65,536 bytes. Transparency is kept.
    public let webp: [UInt8]
    /// A BlurHash of 4 × 3 components (3 × 4 for portrait images) over white: 28 ASCII characters that JSON does not
    /// escape. `Docs/Previews.md` describes how to draw it.
    public let placeholder: String

    public init(width: Int, height: Int, webp: [UInt8], placeholder: String) {
        self.width = width
        self.height = height
        self.webp = webp
        self.placeholder = placeholder
    }
}

/// The reason why an image has no preview. The file itself is unaffected.
public enum ImagePreviewFailure: Error, Hashable, Sendable {
    /// The file is larger than the limit for previews.
    case tooManyBytes
    /// The image's header announces more pixels than the limit. Nothing was decoded.
    case tooManyPixels
    /// Decoding would process the pixels too often, as for a JPEG of a thousand scans. Nothing was decoded.
    case tooMuchWork
    /// The file is incomplete, not of the given format, or needs more memory than the limit.
    case unreadable
    /// The time limit was exceeded.
    case timeout
    /// The helper ended without an answer or with an invalid one.
    case crashed
    /// Too many images are waiting, or the server is stopping. A later attempt may succeed.
    case busy
}
