/// What a file is, by its first bytes. Neither its name nor what its sender says of it counts: a page that is called an
/// image would be run as a page by whoever opens it.
///
/// Formats that hold scripts (HTML, SVG, XML, JavaScript) are never told: they are plain text, or bytes. A file that is
/// two formats at once is the one that its first bytes say.
public struct FileType: RawRepresentable, Hashable, Sendable {
    /// A media type without parameters (RFC 9110, section 8.3.1).
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    public static let bytes = FileType(rawValue: "application/octet-stream")
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

    /// Whether a browser may show it in a page, instead of saving it: nothing in it is ever run.
    public var isPassive: Bool {
        switch self {
        case .text, .png, .jpeg, .gif, .webp, .avif, .mp3, .ogg, .wav, .flac, .m4a, .mp4, .webm: true
        default: false
        }
    }
}
