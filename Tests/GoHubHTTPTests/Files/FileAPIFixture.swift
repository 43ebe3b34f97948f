import Crypto
import Foundation
import GoHubCore
import GoHubStore
import GoHubTestSupport
import GoHubWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Synchronization
import Testing

@testable import GoHubHTTP

/// Tokens that state their content: `tenant/user/grants`, with grants such as `lobby:rw,team:r,*:rwm`.
struct PlainVerifier: TokenVerifier {
    func verify(_ token: String) async throws(TokenError) -> Credentials {
        if token == "expired" { throw TokenError(.expired, "The token has expired.") }
        if token == "later" { throw TokenError(.keysUnavailable, "The keys can't be had now.") }
        let parts = token.split(separator: "/", omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 3, let tenant = TenantID(parts[0]), let user = UserID(parts[1]) else {
            throw TokenError(.malformed, "This is no token.")
        }
        let entries = parts[2].split(separator: ",").compactMap { entry -> Grants.Entry? in
            let halves = entry.split(separator: ":")
            guard halves.count == 2, let pattern = Grants.Pattern(String(halves[0])) else { return nil }
            var can: Permissions = []
            if halves[1].contains("r") { can.insert(.read) }
            if halves[1].contains("w") { can.insert(.write) }
            if halves[1].contains("m") { can.insert(.moderate) }
            return Grants.Entry(match: pattern, can: can)
        }
        return Credentials(tenant: tenant, user: user, grants: Grants(entries))
    }
}

/// The file routes on a real disk, without sockets.
struct FileAPIFixture: Sendable {
    static let alice = "default/alice/lobby:rw"
    static let bob = "default/bob/lobby:rw"
    static let reader = "default/carol/lobby:r"
    static let moderator = "default/mod/lobby:rm"
    static let stranger = "default/dave/other:rwm"
    static let foreigner = "elsewhere/alice/lobby:rwm"

    let client: any TestClientProtocol
    let hub: FakeHub
    let time: TestTime
    let store: DiskFileStore
    /// The store's folder.
    let directory: String
    /// The reports to the operator.
    let complaints: LogThrottle

    final class LogThrottle: Sendable {
        private let texts = Mutex<[String]>([])

        var all: [String] { texts.withLock { $0 } }

        func add(_ text: String) { texts.withLock { $0.append(text) } }
    }

    static func run(
        isDevelopment: Bool = false, quotas: FileQuotas = FileQuotas(),
        _ test: @escaping @Sendable (FileAPIFixture) async throws -> Void
    ) async throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("gohubd-file-tests-\(UInt64.random(in: .min ... .max))").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (hub, time, complaints) = (FakeHub(), TestTime(), LogThrottle())
        var options = DiskFileStore.Options()
        options.quotas = quotas
        options.clock = { time.wall }
        let store = try DiskFileStore(path: directory, catalog: InMemoryFileCatalog(), options: options)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let routes = Routes(cors: CORS(policy: .sameOrigin, isTLS: false), logger: logger)
        FileAPI(
            store: store,
            access: FileAccess(
                verifier: isDevelopment ? nil : PlainVerifier(),
                tokenless: TokenlessAccess(origins: .sameOrigin, isTLS: false, isLoopback: true), hub: hub),
            signer: FileURLSigner(),
            settings: FileAPI.Settings(
                fileBytesMax: quotas.fileBytesMax, urlsExpireAfter: .seconds(100), clock: { time.wall }),
            logger: logger, report: { complaints.add($0) }
        ).add(to: routes)
        try await Application(router: routes.router).test(.router) { client in
            try await test(
                FileAPIFixture(
                    client: client, hub: hub, time: time, store: store, directory: directory, complaints: complaints))
        }
        await store.close()
    }

    func send(
        _ method: HTTPRequest.Method, _ uri: String, as token: String? = alice,
        _ fields: [(HTTPField.Name, String)] = [], _ body: [UInt8]? = nil
    ) async throws -> TestResponse {
        var headers = HTTPFields(fields.map { HTTPField(name: $0.0, value: $0.1) })
        if let token { headers[.authorization] = "Bearer \(token)" }
        if let body, headers[.contentLength] == nil { headers[.contentLength] = "\(body.count)" }
        return try await client.execute(
            uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(bytes: $0) })
    }

    /// An upload in one request.
    func post(
        _ bytes: [UInt8], _ query: String = "room=lobby", as token: String = alice,
        _ fields: [(HTTPField.Name, String)] = []
    ) async throws -> TestResponse {
        try await send(.post, "/v1/files?\(query)", as: token, fields, bytes)
    }

    /// - Returns: the file's path.
    func file(_ bytes: [UInt8], _ query: String = "room=lobby", as token: String = alice) async throws -> String {
        let response = try await post(bytes, query, as: token)
        #expect(response.status == .created, "\(response.text)")
        return try #require(response.headers[.location])
    }

    /// Starts an upload of several parts.
    ///
    /// - Returns: the upload's path.
    func begin(size: Int, _ first: [UInt8] = [], _ query: String = "room=lobby") async throws -> String {
        let response = try await post(
            first, query, [(.uploadComplete, "?0"), (.uploadLength, "\(size)")])
        #expect(response.status == .created, "\(response.text)")
        #expect(response.headers[.uploadOffset] == "\(first.count)")
        return try #require(response.headers[.location])
    }

    func patch(
        _ path: String, _ bytes: [UInt8], at offset: Int, isLast: Bool, as token: String = alice,
        _ fields: [(HTTPField.Name, String)] = []
    ) async throws -> TestResponse {
        try await send(
            .patch, path, as: token,
            [
                (.contentType, "application/partial-upload"), (.uploadOffset, "\(offset)"),
                (.uploadComplete, isLast ? "?1" : "?0"),
            ] + fields, bytes)
    }

    static func hex(_ bytes: [UInt8]) -> String { ContentHash(bytes: SHA256.hash(data: bytes))?.hex ?? "" }
}

extension TestResponse {
    var bytes: [UInt8] { Array(body.readableBytesView) }

    /// A JSON body of texts and numbers.
    func json() throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }
}
