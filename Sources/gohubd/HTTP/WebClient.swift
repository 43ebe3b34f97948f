internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// The web client that the daemon serves itself, and the JavaScript SDK: a page and what it loads, compiled into it.
struct WebClient: Sendable {
    struct File: Sendable {
        let path: String
        let contentType: String
        /// One buffer that all responses share.
        let bytes: ByteBuffer
        /// The same compressed, once and for all; a page that is loaded over a slow link is there three times as soon.
        let gzipped: ByteBuffer?
        /// A fingerprint of the bytes, without quotes (RFC 9110, section 8.8.3).
        let fingerprint: String

        init(_ path: String, _ contentType: String, _ bytes: [UInt8]) {
            self.path = path
            self.contentType = contentType
            self.bytes = ByteBuffer(bytes: bytes)
            gzipped = Gzip.compress(bytes).flatMap { $0.count < bytes.count ? ByteBuffer(bytes: $0) : nil }
            fingerprint = String(Self.fingerprint(bytes), radix: 16)
        }

        static func script(_ name: String, _ bytes: [UInt8]) -> File {
            File("/\(name).js", "text/javascript; charset=utf-8", bytes)
        }

        static func styles(_ name: String, _ bytes: [UInt8]) -> File {
            File("/\(name).css", "text/css; charset=utf-8", bytes)
        }

        /// FNV-1a, 64 bits: it only has to differ from one release to the next.
        private static func fingerprint(_ bytes: [UInt8]) -> UInt64 {
            bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        }
    }

    /// Scripts and styles of our own files only, connections, images and sounds only from where the page is from, and no
    /// script may make markup of text; nobody may frame the page. Images may also be `blob:`, which is what the page itself
    /// has fetched: previews come by token, which an address may not have.
    static let contentSecurityPolicy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "media-src 'self'",
        "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    ].joined(separator: "; ")

    let files: [File]

    static let embedded = WebClient(files: [
        File("/", "text/html; charset=utf-8", PackageResources.index_html),
        File("/icon.svg", "image/svg+xml", PackageResources.icon_svg),
        .styles("base", PackageResources.base_css),
        .styles("conversation", PackageResources.conversation_css),
        .styles("files", PackageResources.files_css),
        .styles("layout", PackageResources.layout_css),
        .script("actions", PackageResources.actions_js),
        .script("app", PackageResources.app_js),
        .script("blocks", PackageResources.blocks_js),
        .script("chat", PackageResources.chat_js),
        .script("commands", PackageResources.commands_js),
        .script("composer", PackageResources.composer_js),
        .script("dom", PackageResources.dom_js),
        .script("drop", PackageResources.drop_js),
        .script("files", PackageResources.files_js),
        .script("grants", PackageResources.grants_js),
        .script("graph", PackageResources.graph_js),
        .script("handshake", PackageResources.handshake_js),
        .script("layout", PackageResources.layout_js),
        .script("media", PackageResources.media_js),
        .script("message", PackageResources.message_js),
        .script("parcels", PackageResources.parcels_js),
        .script("people", PackageResources.people_js),
        .script("placeholder", PackageResources.placeholder_js),
        .script("rooms", PackageResources.rooms_js),
        .script("session", PackageResources.session_js),
        .script("signin", PackageResources.signin_js),
        .script("start", PackageResources.start_js),
        .script("status", PackageResources.status_js),
        .script("theme", PackageResources.theme_js),
        .script("timeline", PackageResources.timeline_js),
        .script("tray", PackageResources.tray_js),
        .script("viewer", PackageResources.viewer_js),
        .script("gohub", PackageResources.gohub_js),
        .script("gohub-room", PackageResources.gohub_room_js),
        .script("gohub-view", PackageResources.gohub_view_js),
        .script("gohub-people", PackageResources.gohub_people_js),
        .script("gohub-outbox", PackageResources.gohub_outbox_js),
        .script("gohub-support", PackageResources.gohub_support_js),
        .script("gohub-files", PackageResources.gohub_files_js),
        .script("gohub-upload", PackageResources.gohub_upload_js),
        .script("gohub-uploads", PackageResources.gohub_uploads_js),
        File("/gohub.d.ts", "text/plain; charset=utf-8", PackageResources.gohub_d_ts),
    ])

    func add(to routes: Routes) {
        for file in files {
            routes.add(file.path, [.get: { request, _ in Self.response(file, to: request) }])
        }
    }

    private static func response(_ file: File, to request: Request) -> Response {
        let gzipped = takesGzip(request) ? file.gzipped : nil
        let entityTag = gzipped == nil ? "\"\(file.fingerprint)\"" : "\"\(file.fingerprint)-gzip\""
        var headers: HTTPFields = [
            // Kept, but asked for again each time: a new release shows at once.
            .cacheControl: "no-cache", .eTag: entityTag, .contentSecurityPolicy: contentSecurityPolicy,
            .vary: "Accept-Encoding",
        ]
        let known = request.headers[values: .ifNoneMatch].flatMap { $0.split(separator: ",") }
            .map { $0.trimmingPrefix { $0 == " " }.trimmingPrefix("W/") }
        if known.contains(where: { $0 == entityTag || $0 == "*" }) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = file.contentType
        if gzipped != nil { headers[.contentEncoding] = "gzip" }
        let body = ResponseBody(byteBuffer: gzipped ?? file.bytes)
        return Response(status: .ok, headers: headers, body: body)
    }

    /// Whether the client names gzip, and not with a weight of 0 (RFC 9110, section 12.5.3).
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
