/// The type of a file, detected from its first bytes. Its name and the sender's claim don't count: a page called an
/// image would be run as a page when opened.
///
/// Formats that contain scripts (HTML, SVG, XML, JavaScript) are never reported: they are plain text or bytes. For a
/// file that is valid in two formats, its first bytes decide.
public struct FileType: RawRepresentable, Hashable, Sendable {
    /// A media type without parameters (RFC 9110, section 8.3.1).
    public let rawValue: String

    /// - Parameter rawValue: a media type without parameters, not checked.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// Neither a known format nor text.
    public static let bytes = FileType(rawValue: "application/octet-stream")
    /// Valid UTF-8 without control characters that don't occur in texts, and not of a known format.
    public static let text = FileType(rawValue: "text/plain")
    public static let png = FileType(rawValue: "image/png")
    public static let jpeg = FileType(rawValue: "image/jpeg")
    public static let gif = FileType(rawValue: "image/gif")
    public static let webp = FileType(rawValue: "image/webp")
    public static let avif = FileType(rawValue: "image/avif")
    public static let pdf = FileType(rawValue: "application/pdf")
    public static let zip = FileType(rawValue: "application/zip")
    public static let mp3 = FileType(rawValue: "audio/mpeg")
    public static let ogg = FileType(rawValue: "audio/ogg")
    public static let wav = FileType(rawValue: "audio/wav")
    public static let flac = FileType(rawValue: "audio/flac")
    public static let m4a = FileType(rawValue: "audio/mp4")
    public static let mp4 = FileType(rawValue: "video/mp4")
    public static let webm = FileType(rawValue: "video/webm")

    public var isImage: Bool { rawValue.hasPrefix("image/") }

    /// Whether a browser may show it in a page instead of saving it: nothing in it is ever run.
    public var isPassive: Bool {
        switch self {
        case .text, .png, .jpeg, .gif, .webp, .avif, .mp3, .ogg, .wav, .flac, .m4a, .mp4, .webm: true
        default: false
        }
    }
}
