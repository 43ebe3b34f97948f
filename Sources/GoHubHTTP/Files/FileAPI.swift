public import GoHubCore
internal import HTTPTypes
internal import Hummingbird
public import Logging

/// The files of rooms, over HTTP.
///
/// - `POST /v1/files?room=…&name=…&id=…`: an upload, whole or in parts (draft-ietf-httpbis-resumable-upload).
/// - `HEAD`, `PATCH`, `DELETE /v1/uploads/{id}`: its progress, its next part, its cancellation.
/// - `GET`, `HEAD`, `DELETE /v1/files/{id}`; `GET /v1/files/{id}/info`: a file and its metadata.
/// - `GET`, `HEAD /v1/files/{id}/preview`: the preview of an image.
/// - `POST /v1/files/{id}/url`: a temporary link that needs no token.
public struct FileAPI: Sendable {
    /// Bounds of uploads, links and downloads.
    public struct Settings: Sendable {
        /// Bytes of one file, as announced to clients before the store decides.
        public var fileBytesMax: UInt64
        /// The time for which a link to a file is valid.
        public var urlsExpireAfter: Milliseconds
        /// The maximum numbers of concurrent downloads.
        public var downloads: DownloadSlots.Bounds
        /// The time limit of a client for a piece of a download; slower ones are disconnected.
        public var downloadStall: Milliseconds
        /// The clock for the expiry of links and the dates of responses.
        public var clock: @Sendable () -> WallTime

        /// Has the daemon's defaults.
        public init(
            fileBytesMax: UInt64, urlsExpireAfter: Milliseconds,
            downloads: DownloadSlots.Bounds = DownloadSlots.Bounds(), downloadStall: Milliseconds = .seconds(120),
            clock: @escaping @Sendable () -> WallTime = { .now() }
        ) {
            self.fileBytesMax = fileBytesMax
            self.urlsExpireAfter = urlsExpireAfter
            self.downloads = downloads
            self.downloadStall = downloadStall
            self.clock = clock
        }
    }

    package static let filesPath = "/v1/files"
    package static let uploadsPath = "/v1/uploads"

    let store: any FileStore
    let access: FileAccess
    let signer: FileURLSigner
    let settings: Settings
    let logger: Logger
    let report: @Sendable (String) -> Void
    let metrics = FileMetrics()
    let downloads: DownloadSlots

    /// - Parameters:
    ///   - store: the store of the files.
    ///   - access: identifies the user of a request.
    ///   - signer: signs links.
    ///   - settings: the bounds of uploads, links and downloads.
    ///   - logger: receives a line for each deleted file.
    ///   - report: receives each problem for the operator, such as an unreadable file; not throttled.
    public init(
        store: any FileStore, access: FileAccess, signer: FileURLSigner, settings: Settings, logger: Logger,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.store = store
        self.access = access
        self.signer = signer
        self.settings = settings
        self.logger = logger
        self.report = report
        downloads = DownloadSlots(settings.downloads)
    }

    /// Adds the paths under which files are uploaded, read and deleted.
    public func add(to routes: Routes) {
        add(Self.filesPath, [.post: create, .options: options], to: routes)
        add("\(Self.uploadsPath)/:id", [.head: state, .patch: append, .delete: cancel], to: routes)
        add("\(Self.filesPath)/:id", [.get: download, .delete: delete], to: routes)
        add("\(Self.filesPath)/:id/info", [.get: info], to: routes)
        add("\(Self.filesPath)/:id/preview", [.get: preview], to: routes)
        add("\(Self.filesPath)/:id/url", [.post: link], to: routes)
    }

    private func add(_ path: String, _ handlers: [HTTPRequest.Method: Routes.Handler], to routes: Routes) {
        routes.add(
            path,
            handlers.mapValues { handler in
                { request, context in
                    do {
                        return try await handler(request, context)
                    } catch let error as FileError {
                        metrics.failed(error.code)
                        throw APIError(error)
                    }
                }
            })
    }

    /// For a hub that has no file store: every path says so.
    public static func addRefusals(to routes: Routes) {
        let refusal: Routes.Handler = { _, _ in
            throw APIError(
                .notFound, "Files are disabled on this server. The operator can enable them with files.path.")
        }
        let parts = ["", "/info", "/preview", "/url"].map { "\(filesPath)/:id\($0)" }
        for path in [filesPath, "\(uploadsPath)/:id"] + parts {
            routes.add(path, [.get: refusal, .post: refusal, .patch: refusal, .delete: refusal])
        }
    }

    /// An invalid id is an unknown file.
    func id(_ context: APIContext) throws(FileError) -> FileID {
        guard let id = context.parameters.get("id").flatMap({ FileID($0) }) else { throw .notFound }
        return id
    }

    /// A file that the user may read, with the user's other permissions. A user who may not read a room learns nothing
    /// of its files.
    func readable(
        _ id: FileID, by credentials: Credentials
    ) async throws -> (file: StoredFile, permissions: Permissions) {
        let file = try await store.file(id, in: credentials.tenant)
        let permissions = try await access.permissions(of: credentials, in: file.room)
        guard permissions.contains(.read) else { throw FileError.notFound }
        return (file, permissions)
    }

    // MARK: Information, links and deletion

    private func info(_ request: Request, _ context: APIContext) async throws -> Response {
        let credentials = try await access.credentials(request)
        return .json(FileJSON(try await readable(try id(context), by: credentials).file))
    }

    private func delete(_ request: Request, _ context: APIContext) async throws -> Response {
        let credentials = try await access.credentials(request)
        let (file, permissions) = try await readable(try id(context), by: credentials)
        guard file.owner == credentials.user || permissions.contains(.moderate) else {
            throw FileError(.forbidden, "Only the sender of a file and the room's moderators may delete it.")
        }
        try await store.delete(file.id, in: credentials.tenant)
        context.labelling(logger).info(
            "file deleted",
            metadata: ["file": "\(file.id)", "room": "\(file.room.name)", "by": "\(credentials.user)"])
        return Response(status: .noContent)
    }

    // MARK: Links

    private struct Link: Encodable {
        let url: String
        let expiresAt: Int64
    }

    private func link(_ request: Request, _ context: APIContext) async throws -> Response {
        let credentials = try await access.credentials(request)
        let file = try await readable(try id(context), by: credentials).file
        let now = settings.clock().milliseconds / 1000
        let end = now + Int64(clamping: settings.urlsExpireAfter.value / 1000)
        let signature = signer.sign(file.id, in: credentials.tenant, expiresAt: end)
        // None of the parts has a character that is invalid in a query.
        let url =
            "\(Self.filesPath)/\(file.id)?tenant=\(credentials.tenant)&expires=\(end)&signature=\(signature.code)"
        return .json(Link(url: url, expiresAt: end * 1000))
    }

    /// The tenant of a request with a valid link; `nil` for one without a link.
    ///
    /// - Throws: for a link that isn't ours or has expired.
    func linked(_ request: Request, to id: FileID) throws -> (tenant: TenantID, expiresAt: Int64)? {
        guard let code = try request.query("signature") else { return nil }
        guard let tenant = try request.query("tenant").flatMap(TenantID.init),
            let end = try request.query("expires").flatMap({ Int64($0) }),
            signer.isValid(
                FileURLSigner.Signature(expiresAt: end, code: code), of: id, in: tenant, now: settings.clock())
        else { throw FileError(.forbidden, "This link has expired or was altered. Request a new one.") }
        return (tenant, end)
    }
}
