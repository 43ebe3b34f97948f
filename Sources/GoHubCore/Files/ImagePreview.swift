/// The formats of images that previews are made of, as the file's first bytes tell them.
public enum ImageFormat: String, CaseIterable, Hashable, Sendable {
    case png
    case jpeg
    case gif
    case webp

    /// As in `Content-Type` (RFC 9110, section 8.3).
    public var mediaType: String { "image/\(rawValue)" }

    /// - Returns: `nil` for what no previews are made of.
    public init?(_ type: FileType) {
        guard let format = Self.allCases.first(where: { $0.mediaType == type.rawValue }) else { return nil }
        self = format
    }
}

/// What is shown of an image before, or instead of, the image itself.
public struct ImagePreview: Hashable, Sendable {
    /// The image's own size in pixels as it is seen: with its orientation (Exif 2.32, section 4.6.4, tag 0x0112)
    /// carried out.
    public let width: Int
    public let height: Int
    /// A WebP file (RFC 9649) without metadata: at most 480 pixels on the longer edge, never larger than the image, at
    /// most 65,536 bytes; what is transparent stays so.
    public let webp: [UInt8]
    /// A BlurHash of 4 × 3 components (3 × 4 where the image is higher than wide) over white: 28 characters of ASCII,
    /// none of which JSON escapes. `Docs/Previews.md` says how to draw it.
    public let placeholder: String

    public static let mediaType = ImageFormat.webp.mediaType

    public init(width: Int, height: Int, webp: [UInt8], placeholder: String) {
        self.width = width
        self.height = height
        self.webp = webp
        self.placeholder = placeholder
    }
}

/// Why there is no preview of an image. The file itself is as good as before.
public enum ImagePreviewFailure: Error, Hashable, Sendable {
    /// The file is larger than previews are made of.
    case tooManyBytes
    /// The image's header says more pixels than previews are made of; nothing of it was decoded.
    case tooManyPixels
    /// Decoding would go over its pixels too often, such as for a JPEG of a thousand scans; nothing of it was decoded.
    case tooMuchWork
    /// The file is not whole, not of the format that was told, or needs more memory than there is for it.
    case unreadable
    /// Its time is up.
    case timeout
    /// The helper ended without an answer, or gave a wrong one.
    case crashed
    /// Too many images wait already, or the server stops. Later it may work.
    case busy
}
