internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// The web client that the daemon serves itself, and the JavaScript SDK: a page and what it loads, compiled into it.
struct WebClient: Sendable {
    struct File: Sendable {
        let path: String
        let contentType: String
        let bytes: [UInt8]
        /// A fingerprint of the bytes (RFC 9110, section 8.8.3).
        let entityTag: String

        init(_ path: String, _ contentType: String, _ bytes: [UInt8]) {
            self.path = path
            self.contentType = contentType
            self.bytes = bytes
            entityTag = "\"\(String(Self.fingerprint(bytes), radix: 16))\""
        }

        /// FNV-1a, 64 bits: it only has to differ from one release to the next.
        private static func fingerprint(_ bytes: [UInt8]) -> UInt64 {
            bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        }
    }

    /// Scripts and styles of our own only, and connections to the hub; nobody may frame the page.
    static let contentSecurityPolicy = [
        "default-src 'self'", "connect-src 'self' ws: wss:", "img-src 'self' data:", "object-src 'none'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ].joined(separator: "; ")

    let files: [File]

    static let embedded = WebClient(files: [
        File("/", "text/html; charset=utf-8", PackageResources.index_html),
        File("/client.js", "text/javascript; charset=utf-8", PackageResources.client_js),
        File("/connection.js", "text/javascript; charset=utf-8", PackageResources.connection_js),
        File("/style.css", "text/css; charset=utf-8", PackageResources.style_css),
        File("/gohub.js", "text/javascript; charset=utf-8", PackageResources.gohub_js),
        File("/gohub-room.js", "text/javascript; charset=utf-8", PackageResources.gohub_room_js),
        File("/gohub-view.js", "text/javascript; charset=utf-8", PackageResources.gohub_view_js),
        File("/gohub-people.js", "text/javascript; charset=utf-8", PackageResources.gohub_people_js),
        File("/gohub-outbox.js", "text/javascript; charset=utf-8", PackageResources.gohub_outbox_js),
        File("/gohub-support.js", "text/javascript; charset=utf-8", PackageResources.gohub_support_js),
        File("/gohub.d.ts", "text/plain; charset=utf-8", PackageResources.gohub_d_ts),
    ])

    func add(to routes: Routes) {
        for file in files {
            routes.add(file.path, [.get: { request, _ in Self.response(file, to: request) }])
        }
    }

    private static func response(_ file: File, to request: Request) -> Response {
        var headers: HTTPFields = [
            // Kept, but asked for again each time: a new release shows at once.
            .cacheControl: "no-cache", .eTag: file.entityTag, .contentSecurityPolicy: contentSecurityPolicy,
        ]
        let known = request.headers[values: .ifNoneMatch].flatMap { $0.split(separator: ",") }
            .map { $0.trimmingPrefix { $0 == " " }.trimmingPrefix("W/") }
        if known.contains(where: { $0 == file.entityTag || $0 == "*" }) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = file.contentType
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes)))
    }
}
