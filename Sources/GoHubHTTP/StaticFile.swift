internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A file served from memory, such as those of the web client.
public struct StaticFile: Sendable {
    /// The path of requests, such as `/app.js`.
    public let path: String
    let contentType: String
    let contentSecurityPolicy: String
    /// One buffer, shared by all responses.
    private let bytes: ByteBuffer
    /// The compressed form, computed once; a page over a slow link loads three times as fast.
    private let gzipped: ByteBuffer?
    /// A fingerprint of the bytes, without quotes (RFC 9110, section 8.8.3).
    private let fingerprint: String

    /// - Parameters:
    ///   - path: the path of requests, such as `/app.js`.
    ///   - contentType: the value of `Content-Type`.
    ///   - contentSecurityPolicy: the value of `Content-Security-Policy`.
    ///   - bytes: compressed here, once.
    public init(path: String, contentType: String, contentSecurityPolicy: String, bytes: [UInt8]) {
        self.path = path
        self.contentType = contentType
        self.contentSecurityPolicy = contentSecurityPolicy
        self.bytes = ByteBuffer(bytes: bytes)
        gzipped = Gzip.compress(bytes).flatMap { $0.count < bytes.count ? ByteBuffer(bytes: $0) : nil }
        fingerprint = String(Self.fingerprint(bytes), radix: 16)
    }

    /// FNV-1a, 64 bits: it only has to differ between releases.
    private static func fingerprint(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    /// Serves the file at its path: compressed if the client accepts gzip, without a body if it has the file.
    public func add(to routes: Routes) {
        routes.add(path, [.get: { request, _ in response(to: request) }])
    }

    private func response(to request: Request) -> Response {
        let gzipped = Self.takesGzip(request) ? gzipped : nil
        let entityTag = gzipped == nil ? "\"\(fingerprint)\"" : "\"\(fingerprint)-gzip\""
        var headers: HTTPFields = [
            // Cached, but revalidated each time: a new release shows at once.
            .cacheControl: "no-cache", .eTag: entityTag, .contentSecurityPolicy: contentSecurityPolicy,
            .vary: "Accept-Encoding",
        ]
        let known = request.headers[values: .ifNoneMatch].flatMap { $0.split(separator: ",") }
            .map { $0.trimmingPrefix { $0 == " " }.trimmingPrefix("W/") }
        if known.contains(where: { $0 == entityTag || $0 == "*" }) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = contentType
        if gzipped != nil { headers[.contentEncoding] = "gzip" }
        let body = ResponseBody(byteBuffer: gzipped ?? bytes)
        return Response(status: .ok, headers: headers, body: body)
    }

    /// Whether the client accepts gzip, with a weight other than 0 (RFC 9110, section 12.5.3).
    private static func takesGzip(_ request: Request) -> Bool {
        let codings = request.headers[values: .acceptEncoding].flatMap { $0.split(separator: ",") }
        return codings.contains { coding in
            let parts = coding.lowercased().split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard parts.first == "gzip" else { return false }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }?.dropFirst(2)
            return weight.map { Double($0).map { $0 > 0 } ?? false } ?? true
        }
    }
}
