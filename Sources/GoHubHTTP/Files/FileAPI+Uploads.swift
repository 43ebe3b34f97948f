internal import GoHubCore
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTPTypes

/// Uploads (draft-ietf-httpbis-resumable-upload-10; sections by name, since their numbers change between drafts).
extension FileAPI {
    // MARK: Creation

    func options(_ request: Request, _ context: APIContext) async throws -> Response {
        Response(
            status: .noContent,
            headers: [
                .allow: "POST, OPTIONS", .acceptPatch: UploadFields.partialUpload,
                .uploadLimit: "max-size=\(settings.fileBytesMax)",
            ])
    }

    func create(_ request: Request, _ context: APIContext) async throws -> Response {
        let credentials = try await access.credentials(request)
        let fields = UploadFields(request.headers)
        let wanted = try wanted(request, fields, credentials)
        guard try await access.permissions(of: credentials, in: wanted.room).contains([.read, .write]) else {
            throw FileError(
                .forbidden, "Your token does not grant access to this room, or a moderator has revoked your access.")
        }
        switch try await store.begin(wanted) {
        // The response to the first attempt was lost.
        case .finished(let file): return finished(file, fields)
        case .open(let upload, let lease):
            // For a repetition the beginning is already stored.
            let receiving = Receiving(upload, lease, skipping: upload.offset)
            return try await receive(request, fields, receiving, context, isCreation: true)
        }
    }

    /// The request's description of its file: `room`, `name`, `id` and `sha256` in the query, type and size in its
    /// fields.
    private func wanted(
        _ request: Request, _ fields: UploadFields, _ credentials: Credentials
    ) throws -> Upload.Request {
        guard let room = try request.query("room").flatMap(RoomName.init) else {
            throw APIError(.badRequest, "The query must name the file's room, such as ?room=lobby.")
        }
        guard let id = CommandID(try request.query("id") ?? FileID.random().value) else {
            throw APIError(.badRequest, "`id` must have 1 to 64 bytes without control characters.")
        }
        let hash = try request.query("sha256").map { text in
            guard let hash = ContentHash(hex: text) else {
                throw APIError(.badRequest, "`sha256` must be 64 hexadecimal digits.")
            }
            return hash
        }
        guard let size = try fields.size(from: 0) else {
            throw APIError(
                status: .lengthRequired, code: .badRequest,
                message:
                    "The request must state the file's size: Content-Length, or Upload-Length for an upload in parts.")
        }
        return Upload.Request(
            room: RoomID(tenant: credentials.tenant, name: room), owner: credentials.user, id: id,
            name: FileName(cleaning: try request.query("name") ?? ""),
            declaredType: request.headers[.contentType] ?? "",
            size: size, hash: hash)
    }

    /// Announces the upload's URL, before its bytes arrive, to a client that asks for it (section "Upload Creation",
    /// "Server Behavior").
    private func announce(_ upload: Upload, _ fields: UploadFields, _ context: APIContext) async throws {
        guard let version = fields.interopVersion else { return }
        let response = HTTPResponse(
            status: .init(code: 104, reasonPhrase: "Upload Resumption Supported"),
            headerFields: [
                .uploadDraftInteropVersion: "\(version)", .location: location(of: upload), .uploadLimit: limit(upload),
            ])
        try await context.channel?.writeAndFlush(HTTPResponsePart.head(response))
    }

    private func location(of upload: Upload) -> String { "\(Self.uploadsPath)/\(upload.id)" }

    private func limit(_ upload: Upload) -> String {
        let left = max(0, upload.expiresAt.milliseconds - settings.clock().milliseconds) / 1000
        return "max-size=\(settings.fileBytesMax), max-age=\(left)"
    }

    // MARK: Offset retrieval

    func state(_ request: Request, _ context: APIContext) async throws -> Response {
        let credentials = try await access.credentials(request)
        let fields = UploadFields(request.headers)
        let headers: HTTPFields
        switch try await store.resume(try id(context), by: credentials.userKey) {
        case .finished(let file):
            var response = UploadFields.response(offset: file.size, isComplete: true, to: fields)
            response[.uploadLength] = "\(file.size)"
            response[.uploadLimit] = "max-size=\(settings.fileBytesMax)"
            response[.location] = "\(Self.filesPath)/\(file.id)"
            headers = response
        case .open(let upload, let lease):
            // Previous writers are refused from here on, so the offset can't change (section "Concurrency").
            store.release(lease)
            var response = UploadFields.response(offset: upload.offset, isComplete: false, to: fields)
            response[.uploadLength] = "\(upload.request.size)"
            response[.uploadLimit] = limit(upload)
            headers = response
        }
        return Response(status: .noContent, headers: headers)
    }

    // MARK: Append

    func append(_ request: Request, _ context: APIContext) async throws -> Response {
        let credentials = try await access.credentials(request)
        let fields = UploadFields(request.headers)
        // The first draft versions had no type of their own.
        let needsType = fields.interopVersion.map { $0 >= 6 } ?? true
        let type = request.headers[.contentType]?.split(separator: ";").first?.lowercased()
        guard type == UploadFields.partialUpload || !needsType else {
            throw APIError(
                status: .unsupportedMediaType, code: .badRequest,
                message: "A part of an upload must have the type \(UploadFields.partialUpload).",
                headers: [.acceptPatch: UploadFields.partialUpload])
        }
        guard let offset = fields.offset else {
            throw APIError(.badRequest, "The request must state the part's offset: Upload-Offset.")
        }
        guard fields.isComplete != nil || fields.interopVersion == 3 else {
            throw APIError(
                .badRequest, "The request must state whether this is the last part: Upload-Complete, ?1 or ?0.")
        }
        switch try await store.resume(try id(context), by: credentials.userKey) {
        case .finished(let file):
            // Nothing can be added to it, whatever the part contains: the client receives the file's address.
            throw APIError(
                status: .gone, code: .conflict, message: "The upload is already complete.",
                headers: [.location: "\(Self.filesPath)/\(file.id)"])
        case .open(let upload, let lease):
            do {
                // A room to which access was revoked accepts nothing more.
                let permissions = try await access.permissions(of: credentials, in: upload.request.room)
                guard permissions.contains([.read, .write]) else { throw FileError.notFound }
                guard offset == upload.offset else { throw FileError.wrongOffset(expected: upload.offset) }
                let size = try fields.size(from: offset)
                guard size.map({ $0 == upload.request.size }) ?? true else { throw UploadFields.inconsistentLength }
            } catch {
                store.release(lease)
                throw error
            }
            let receiving = Receiving(upload, lease, skipping: 0)
            return try await receive(request, fields, receiving, context, isCreation: false)
        }
    }

    // MARK: Cancellation

    func cancel(_ request: Request, _ context: APIContext) async throws -> Response {
        let credentials = try await access.credentials(request)
        try await store.cancel(try id(context), by: credentials.userKey)
        return Response(status: .noContent)
    }

    // MARK: The body

    /// Receives a request's bytes. Received bytes count, however the request ends.
    private func receive(
        _ request: Request, _ fields: UploadFields, _ receiving: Receiving, _ context: APIContext, isCreation: Bool
    ) async throws -> Response {
        var receiving = receiving
        let (upload, lease) = (receiving.upload, receiving.lease)
        do {
            if isCreation { try await announce(upload, fields, context) }
            // A client that waits for permission to send gets it now that all checks have passed (RFC 9110, section
            // 10.1.1).
            if request.headers[.expect]?.lowercased() == "100-continue" {
                try await context.channel?.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)))
            }
            try await receiving.take(request.body, store, metrics)
            if fields.isComplete ?? true {
                let file = try await store.finish(lease)
                metrics.finished()
                return finished(file, fields)
            }
        } catch {
            store.release(lease)
            throw error
        }
        store.release(lease)
        var headers = UploadFields.response(offset: receiving.offset, isComplete: false, to: fields)
        headers[.uploadLimit] = limit(upload)
        if isCreation { headers[.location] = location(of: upload) }
        return Response(status: isCreation ? .created : .noContent, headers: headers)
    }

    private func finished(_ file: StoredFile, _ fields: UploadFields) -> Response {
        var response = Response.json(FileJSON(file), status: .created)
        response.headers.append(
            contentsOf: UploadFields.response(offset: file.size, isComplete: true, to: fields))
        response.headers[.location] = "\(Self.filesPath)/\(file.id)"
        return response
    }
}

/// Stores a body piece by piece: the next piece is read when the previous one is stored.
private struct Receiving {
    /// The size of a write. Pieces arrive from the network in any size.
    private static let writeBytes = 64 * 1024

    let upload: Upload
    let lease: Upload.Lease
    private(set) var offset: UInt64
    private var skipped: UInt64
    private var waiting: [UInt8] = []

    /// - Parameter skipping: bytes at the beginning that are already stored.
    init(_ upload: Upload, _ lease: Upload.Lease, skipping: UInt64) {
        (self.upload, self.lease, offset, skipped) = (upload, lease, upload.offset, skipping)
    }

    mutating func take(_ body: RequestBody, _ store: any FileStore, _ metrics: FileMetrics) async throws {
        let size = upload.request.size
        do {
            for try await var buffer in body {
                metrics.received(bytes: buffer.readableBytes)
                let skipping = Int(min(skipped, UInt64(buffer.readableBytes)))
                buffer.moveReaderIndex(forwardBy: skipping)
                skipped -= UInt64(skipping)
                // Never below 0: no more than this is ever accepted.
                let room = size - offset - UInt64(waiting.count)
                let isTooMuch = UInt64(buffer.readableBytes) > room
                waiting += buffer.readableBytesView.prefix(Int(min(room, UInt64(buffer.readableBytes))))
                if waiting.count >= Self.writeBytes || isTooMuch { try await self.store(in: store) }
                guard !isTooMuch else {
                    throw FileError(.sizeMismatch, "The data exceeds the upload's announced size of \(size) bytes.")
                }
            }
        } catch let error as FileError {
            throw error
        } catch {
            // The connection ended prematurely.
            try await self.store(in: store)
            throw error
        }
        try await self.store(in: store)
    }

    private mutating func store(in store: any FileStore) async throws(FileError) {
        let bytes = waiting
        waiting = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(FilePiece.bytesMax)
            offset = try await store.write(Array(piece), at: offset, with: lease)
            rest = rest.dropFirst(piece.count)
        }
    }
}
