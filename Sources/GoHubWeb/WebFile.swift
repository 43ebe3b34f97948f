/// A file of the web client or of the JavaScript SDK, compiled into the program.
public struct WebFile: Sendable {
    /// The file's URL path: `/` for the page, `/NAME` for every other file. All are in one directory.
    public let path: String
    /// The value of `Content-Type`.
    public let contentType: String
    /// The content of the file.
    public let bytes: [UInt8]

    init(_ path: String, _ contentType: String, _ bytes: [UInt8]) {
        self.path = path
        self.contentType = contentType
        self.bytes = bytes
    }

    static func script(_ name: String, _ bytes: [UInt8]) -> WebFile {
        WebFile("/\(name).js", "text/javascript; charset=utf-8", bytes)
    }

    static func styles(_ name: String, _ bytes: [UInt8]) -> WebFile {
        WebFile("/\(name).css", "text/css; charset=utf-8", bytes)
    }

    /// The value of `Content-Security-Policy` for the page.
    ///
    /// Allows only scripts and styles from our own files, and only connections, images and sounds from the page's
    /// origin. No script may turn text into markup; no page may frame this one. Images may also be `blob:` URLs that
    /// the page itself has fetched: previews need a token, which a URL may not contain.
    public static let contentSecurityPolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "media-src 'self'",
        "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    ].joined(separator: "; ")
}
