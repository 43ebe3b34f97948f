import GoHubCore
import GoHubWeb
import GoHubWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Synchronization
import Testing

@testable import GoHubHTTP

/// All routes of a hub, without its sockets.
///
/// - Parameters:
///   - verifier: `nil` for a hub in development mode.
///   - origins: patterns of the pages that may connect; without any, only the hub's own.
func withRoutes(
    hub: FakeHub = FakeHub(), isStoreReady: @escaping @Sendable () -> Bool = { true },
    verifier: (any TokenVerifier)? = nil, origins: [String] = [], limits: Limits = Limits(), node: String = "node-1",
    apiKey: String? = nil, _ test: @Sendable (any TestClientProtocol) async throws -> Void
) async throws {
    let policy = try OriginPolicy(patterns: origins)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let routes = Routes(cors: CORS(policy: policy, isTLS: false), logger: logger)
    for file in WebFiles.client + WebFiles.sdk {
        StaticFile(
            path: file.path, contentType: file.contentType, contentSecurityPolicy: WebFile.contentSecurityPolicy,
            bytes: file.bytes
        ).add(to: routes)
    }
    let info = StatusRoutes.Info(version: "1.2.3", node: node, development: verifier == nil, limits: limits)
    StatusRoutes(hub: hub, isStoreReady: isStoreReady, info: info).add(to: routes)
    let tokenless = TokenlessAccess(origins: policy, isTLS: false, isLoopback: true)
    HandshakeProbe(origins: policy, tokenless: tokenless, verifier: verifier, hub: hub).add(to: routes)
    ServerAPI(hub: hub, key: apiKey.flatMap { APIKey(Array($0.utf8)) }, limits: limits, logger: logger).add(to: routes)
    try await Application(router: routes.router).test(.router, test)
}

extension TestResponse {
    var text: String { String(buffer: body) }
}

@Suite struct RoutesTests {
    // MARK: Status

    @Test func healthAndReadiness() async throws {
        let hub = FakeHub()
        try await withRoutes(hub: hub) { client in
            try await client.execute(uri: "/healthz", method: .get) { response in
                #expect(response.status == .ok)
                #expect(response.text == #"{"status":"alive"}"#)
            }
            try await client.execute(uri: "/readyz", method: .get) { #expect($0.status == .ok) }
            hub.withState { $0.isAccepting = false }
            try await client.execute(uri: "/readyz", method: .get) { response in
                #expect(response.status == .serviceUnavailable)
                #expect(
                    response.text
                        == #"{"code":"unavailable","message":"The hub is not accepting new clients now. Try again later."}"#
                )
            }
            try await client.execute(uri: "/healthz", method: .get) { #expect($0.status == .ok) }
        }
    }

    @Test func unavailableStoreIsNotReady() async throws {
        let isReady = Atomic(false)
        try await withRoutes(isStoreReady: { isReady.load(ordering: .relaxed) }) { client in
            try await client.execute(uri: "/readyz", method: .get) { response in
                #expect(response.status == .serviceUnavailable)
                #expect(response.text == #"{"code":"unavailable","message":"The store is unavailable."}"#)
            }
            try await client.execute(uri: "/healthz", method: .get) { #expect($0.status == .ok) }
            isReady.store(true, ordering: .relaxed)
            try await client.execute(uri: "/readyz", method: .get) { #expect($0.status == .ok) }
        }
    }

    @Test func infoListsLimits() async throws {
        var limits = Limits()
        limits.textBytesMax = 1_000
        try await withRoutes(verifier: PlainVerifier(), limits: limits, node: "n7") { client in
            try await client.execute(uri: "/v1/info", method: .get) { response in
                #expect(response.headers[.contentType] == "application/json")
                #expect(
                    response.text
                        == #"{"development":false,"limits":{"commandsInFlight":64,"messageBytes":65536,"#
                        + #""pageMessages":500,"rooms":100,"roomsPerJoin":100,"textBytes":1000},"name":"gohub","node":"n7","#
                        + #""protocol":"gohub.v1","version":"1.2.3"}"#)
            }
        }
        try await withRoutes { client in
            try await client.execute(uri: "/v1/info", method: .get) {
                #expect($0.text.contains(#""development":true"#))
            }
        }
    }

    // MARK: Unknown paths

    @Test(arguments: [
        "/nope", "/v1", "/v1/api", "/v1/api/rooms/lobby", "/index.html", "/app.js/", "//app.js", "//",
        "/../etc/passwd", "/./", "/%2e/app.js",
    ])
    func unknownPathsAreNotFound(path: String) async throws {
        try await withRoutes { client in
            try await client.execute(uri: path, method: .get) { response in
                #expect(response.status == .notFound)
                #expect(response.text == #"{"code":"not_found","message":"There is nothing at this path."}"#)
            }
        }
    }

    @Test(arguments: [
        ("/healthz", HTTPRequest.Method.post, "GET, HEAD"), ("/", .delete, "GET, HEAD"),
        ("/v1/api/rooms", .put, "GET, HEAD"), ("/v1/api/rooms/lobby/messages", .get, "POST"),
        ("/v1/api/users/a/sessions", .get, "POST, DELETE"), ("/v1/info", .options, "GET, HEAD"),
    ])
    func wrongMethodsAreToldTheRightOnes(path: String, method: HTTPRequest.Method, allowed: String) async throws {
        try await withRoutes { client in
            try await client.execute(uri: path, method: method) { response in
                #expect(response.status == .methodNotAllowed)
                #expect(response.headers[.allow] == allowed)
                #expect(response.text == #"{"code":"bad_request","message":"This path accepts \#(allowed)."}"#)
            }
        }
    }

    @Test func filePathsAreRefusedWhenFilesAreOff() async throws {
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let routes = Routes(cors: CORS(policy: .sameOrigin, isTLS: false), logger: quiet)
        FileAPI.addRefusals(to: routes)
        try await Application(router: routes.router).test(.router) { client in
            for (method, path) in [
                (HTTPRequest.Method.post, "/v1/files?room=lobby"), (.get, "/v1/files/a"), (.get, "/v1/files/a/info"),
                (.get, "/v1/files/a/preview"), (.post, "/v1/files/a/url"), (.patch, "/v1/uploads/a"),
            ] {
                try await client.execute(uri: path, method: method) { response in
                    #expect(response.status == .notFound)
                    #expect(response.text.contains("The operator can enable them with files.path"), "\(path)")
                }
            }
        }
    }

    // MARK: The web client

    @Test(arguments: [
        ("/", "text/html; charset=utf-8"), ("/app.js", "text/javascript; charset=utf-8"),
        ("/start.js", "text/javascript; charset=utf-8"),
        ("/base.css", "text/css; charset=utf-8"), ("/icon.svg", "image/svg+xml"),
        ("/gohub.js", "text/javascript; charset=utf-8"), ("/gohub-room.js", "text/javascript; charset=utf-8"),
        ("/gohub-view.js", "text/javascript; charset=utf-8"), ("/gohub-people.js", "text/javascript; charset=utf-8"),
        ("/gohub-outbox.js", "text/javascript; charset=utf-8"), ("/gohub-support.js", "text/javascript; charset=utf-8"),
        ("/gohub-files.js", "text/javascript; charset=utf-8"), ("/gohub-upload.js", "text/javascript; charset=utf-8"),
        ("/gohub-uploads.js", "text/javascript; charset=utf-8"), ("/gohub.d.ts", "text/plain; charset=utf-8"),
    ])
    func theWebClientIsServedAsAStrictPage(path: String, contentType: String) async throws {
        try await withRoutes { client in
            let tag = try await client.execute(uri: path, method: .get) { response in
                #expect(response.status == .ok)
                #expect(response.headers[.contentType] == contentType)
                #expect(response.headers[.cacheControl] == "no-cache")
                #expect(response.headers[.xContentTypeOptions] == "nosniff")
                #expect(HTTPField.Name("Referrer-Policy").map { response.headers[$0] } == "no-referrer")
                let policy = try #require(response.headers[.contentSecurityPolicy])
                #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self';"))
                #expect(policy.contains("require-trusted-types-for 'script'"))
                #expect(policy.contains("; img-src 'self' blob:; media-src 'self'; connect-src 'self';"))
                #expect(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"))
                #expect(response.body.readableBytes > 0)
                return try #require(response.headers[.eTag])
            }
            for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
                try await client.execute(uri: path, method: .get, headers: [.ifNoneMatch: known]) { response in
                    #expect(response.status == .notModified)
                    #expect(response.body.readableBytes == 0)
                    #expect(response.headers[.eTag] == tag)
                }
            }
            try await client.execute(uri: path, method: .get, headers: [.ifNoneMatch: "\"other\""]) {
                #expect($0.status == .ok)
            }
            try await client.execute(uri: path, method: .head) { response in
                #expect(response.status == .ok)
                #expect(response.body.readableBytes == 0)
            }
        }
    }

    @Test(arguments: [
        ("gzip, deflate, br", true), ("br;q=1.0, GZIP;q=0.5", true), ("gzip;q=0", false), ("gzip;q=x", false),
        ("br", false),
    ])
    func webClientIsCompressedOnRequest(accepted: String, isCompressed: Bool) async throws {
        try await withRoutes { client in
            let plain = try await client.execute(uri: "/app.js", method: .get) { response in
                #expect(response.headers[.contentEncoding] == nil)
                #expect(response.headers[values: .vary].contains("Accept-Encoding"))
                return response
            }
            try await client.execute(uri: "/app.js", method: .get, headers: [.acceptEncoding: accepted]) { response in
                #expect(response.headers[.contentEncoding] == (isCompressed ? "gzip" : nil))
                #expect((response.headers[.eTag] != plain.headers[.eTag]) == isCompressed)
                guard isCompressed else { return #expect(response.body == plain.body) }
                // RFC 1952, sections 2.3 and 2.3.1: the magic numbers, deflate, and at the end the size before
                // compression.
                let bytes = Array(response.body.readableBytesView)
                #expect(bytes.prefix(3) == [0x1F, 0x8B, 8])
                let size = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
                #expect(size == plain.body.readableBytes && bytes.count < size / 2)
            }
        }
    }

    @Test func otherResponsesAreNotRendered() async throws {
        try await withRoutes { client in
            for path in ["/healthz", "/nope", "/v1/api/rooms"] {
                try await client.execute(uri: path, method: .get) { response in
                    #expect(response.headers[.contentSecurityPolicy] == "default-src 'none'; frame-ancestors 'none'")
                    #expect(response.headers[.cacheControl] == "no-store")
                    #expect(response.headers[.xContentTypeOptions] == "nosniff")
                }
            }
        }
    }

    // MARK: CORS

    @Test func pagesOfAllowedOriginsMayReadAnswers() async throws {
        try await withRoutes(origins: ["https://chat.example.com"]) { client in
            let headers: HTTPFields = [.origin: "https://chat.example.com"]
            try await client.execute(uri: "/v1/info", method: .get, headers: headers) { response in
                #expect(response.headers[.accessControlAllowOrigin] == "https://chat.example.com")
                #expect(response.headers[.vary] == "Origin")
                #expect(response.headers[.accessControlAllowCredentials] == nil)
                let exposed = response.headers[.accessControlExposeHeaders] ?? ""
                for name in [
                    "location", "upload-offset", "upload-complete", "upload-length", "upload-limit", "content-range",
                    "etag", "retry-after",
                ] {
                    #expect(exposed.split(separator: ", ").contains(name[...]))
                }
            }
            // Allowed origins can read a refusal too.
            try await client.execute(uri: "/nope", method: .get, headers: headers) { response in
                #expect(response.status == .notFound)
                #expect(response.headers[.accessControlAllowOrigin] == "https://chat.example.com")
            }
            try await client.execute(uri: "/v1/info", method: .get, headers: [.origin: "https://evil.example.com"]) {
                #expect($0.headers[.accessControlAllowOrigin] == nil)
                #expect($0.headers[.vary] == "Origin")
            }
            try await client.execute(uri: "/v1/info", method: .get) {
                #expect($0.headers[.accessControlAllowOrigin] == nil)
                #expect($0.headers[.vary] == "Origin")
            }
        }
    }

    @Test func preflightsAreAnsweredByOrigin() async throws {
        try await withRoutes(origins: ["https://chat.example.com"]) { client in
            var headers: HTTPFields = [.origin: "https://chat.example.com", .accessControlRequestMethod: "POST"]
            try await client.execute(uri: "/v1/api/rooms/lobby/messages", method: .options, headers: headers) {
                response in
                #expect(response.status == .noContent)
                #expect(response.headers[.accessControlAllowOrigin] == "https://chat.example.com")
                #expect(response.headers[.accessControlAllowMethods] == "GET, HEAD, OPTIONS, POST, PATCH, DELETE")
                let allowed = response.headers[.accessControlAllowHeaders] ?? ""
                for name in [
                    "authorization", "content-type", "range", "if-none-match", "upload-offset", "upload-complete",
                    "upload-length",
                ] {
                    #expect(allowed.split(separator: ", ").contains(name[...]))
                }
            }
            headers[.origin] = "null"
            try await client.execute(uri: "/v1/api/rooms/lobby/messages", method: .options, headers: headers) {
                response in
                #expect(response.status == .forbidden)
                #expect(response.headers[.accessControlAllowOrigin] == nil)
            }
        }
    }
}
