internal import GoHubCore
internal import GoHubHTTPSyntax
internal import GoHubSystem
internal import GoHubWire
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTPTypes
internal import Synchronization

/// Downloads: whole or in ranges, and conditional (RFC 9110, sections 13 and 14).
extension FileAPI {
    /// Bytes read at a time, each when the client has taken the previous ones.
    private static let pieceBytes = 64 * 1024

    func download(_ request: Request, _ context: APIContext) async throws -> Response {
        let id = try id(context)
        let file: StoredFile
        var user: UserKey?
        let link = try linked(request, to: id)
        if let link {
            file = try await store.file(id, in: link.tenant)
        } else {
            let credentials = try await access.credentials(request)
            user = credentials.userKey
            file = try await readable(id, by: credentials).file
        }
        var headers = headers(of: file, isSaved: try request.query("download") != nil, linkedUntil: link?.expiresAt)
        let preconditions = Preconditions(
            entityTag: "\"\(file.hash.hex)\"", modifiedAt: file.createdAt.milliseconds / 1000)
        switch preconditions.decision(request.headers) {
        case .failed:
            throw APIError(
                status: .preconditionFailed, code: .conflict, message: "The file does not match the precondition.")
        case .notModified:
            headers[.contentType] = nil
            // Section 8.6: the length of the full response.
            headers[.contentLength] = "\(file.size)"
            return Response(status: .notModified, headers: headers)
        case .proceed: break
        }
        // Section 14.2: ranges are defined only for GET.
        let ranges: ByteRanges =
            request.method == .get && preconditions.allowsRange(request.headers)
            ? ByteRanges(request.headers[.range], size: file.size) : .whole
        switch ranges {
        case .unsatisfiable:
            throw APIError(
                status: .rangeNotSatisfiable, code: .badRequest, message: "The file has \(file.size) bytes.",
                headers: [.contentRange: "bytes */\(file.size)"])
        case .whole:
            return try await response(file, FileParts(whole: file.size), .ok, headers, request, context, for: user)
        case .parts(let ranges):
            let parts = FileParts(ranges, of: file, type: headers[.contentType] ?? "")
            if let range = parts.contentRange { headers[.contentRange] = range }
            headers[.contentType] = parts.contentType ?? headers[.contentType]
            return try await response(file, parts, .partialContent, headers, request, context, for: user)
        }
    }

    /// The preview of an image, which the hub generated.
    func preview(_ request: Request, _ context: APIContext) async throws -> Response {
        let id = try id(context)
        let link = try linked(request, to: id)
        var tenant = link?.tenant
        if tenant == nil {
            tenant = try await readable(id, by: try await access.credentials(request)).file.room.tenant
        }
        guard let tenant else { throw FileError.notFound }
        let (file, bytes) = try await store.preview(id, in: tenant)
        var headers = headers(of: file, isSaved: false, linkedUntil: link?.expiresAt)
        // The format of every preview: `FileStore.preview`.
        headers[.contentType] = FileType.webp.rawValue
        headers[.contentDisposition] = "inline"
        headers[.acceptRanges] = "none"
        headers[.eTag] = "\"\(file.hash.hex)-preview\""
        let preconditions = Preconditions(
            entityTag: headers[.eTag] ?? "", modifiedAt: file.createdAt.milliseconds / 1000)
        switch preconditions.decision(request.headers) {
        case .failed:
            throw APIError(
                status: .preconditionFailed, code: .conflict, message: "The preview does not match the precondition.")
        case .notModified:
            headers[.contentType] = nil
            return Response(status: .notModified, headers: headers)
        case .proceed:
            headers[.contentLength] = "\(bytes.count)"
            guard request.method == .get else { return Response(status: .ok, headers: headers) }
            return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        }
    }

    /// - Parameters:
    ///   - isSaved: whether the client wants it saved regardless of its type.
    ///   - linkedUntil: the expiry of the link with which it is read.
    private func headers(of file: StoredFile, isSaved: Bool, linkedUntil: Int64?) -> HTTPFields {
        let now = settings.clock().milliseconds / 1000
        return [
            .contentType: file.type == .text ? "text/plain; charset=utf-8" : file.type.rawValue,
            .contentDisposition: ContentDisposition.field(file.name, isInline: file.type.isPassive && !isSaved),
            .acceptRanges: "bytes", .eTag: "\"\(file.hash.hex)\"",
            .lastModified: HTTPDate.format(file.createdAt.milliseconds / 1000),
            // Only the browser may cache it. With a token it is revalidated each time, so that a user who leaves a room
            // loses access to its files.
            .cacheControl: linkedUntil.map { "private, max-age=\(max(0, $0 - now)), immutable" } ?? "private, no-cache",
            // However a browser interprets it, it runs nothing, loads nothing and is no page of the hub.
            .contentSecurityPolicy: "sandbox; default-src 'none'", .xContentTypeOptions: "nosniff",
            // A link is intended for embedding in pages; a file opened by a token isn't.
            .crossOriginResourcePolicy: linkedUntil == nil ? "same-origin" : "cross-origin",
        ]
    }

    /// - Parameter user: `nil` for a download by a link.
    private func response(
        _ file: StoredFile, _ parts: FileParts, _ status: HTTPResponse.Status, _ headers: HTTPFields,
        _ request: Request, _ context: APIContext, for user: UserKey?
    ) async throws -> Response {
        var headers = headers
        headers[.contentLength] = "\(parts.length)"
        guard request.method == .get else { return Response(status: status, headers: headers) }
        let place = try downloads.take(user: user, address: context.peer?.ipAddress.flatMap { AddressKey.of($0) })
        let download = OpenDownload(try await store.open(file.id, in: file.room.tenant), place)
        metrics.downloading()
        let channel = context.channel
        let body = ResponseBody(contentLength: Int(clamping: parts.length)) { writer in
            // Released with the last byte that is read, before it is sent: a client with the whole file may request the
            // next.
            var file = download.take()
            var unread = parts.fileBytes
            for part in parts.parts {
                switch part {
                case .text(let text): try await writer.write(ByteBuffer(string: text))
                case .bytes(let range):
                    var offset = range.lowerBound
                    while offset < range.upperBound {
                        let wanted = Int(min(UInt64(Self.pieceBytes), range.upperBound - offset))
                        let bytes = try await piece(of: file?.reader, at: offset, bytesMax: wanted)
                        unread -= min(unread, UInt64(bytes.count))
                        if unread == 0 { file = nil }
                        let cut = cut(channel, after: settings.downloadStall)
                        defer { cut?.cancel() }
                        try await writer.write(ByteBuffer(bytes: bytes))
                        metrics.sent(bytes: bytes.count)
                        offset += UInt64(bytes.count)
                        // The writer hands over to the loop, and learns only later that the client is slow: megabytes
                        // would wait for each slow client, and be cut off when the idle time ends. An empty part is
                        // written when everything before it is.
                        try await channel?.writeAndFlush(HTTPResponsePart.body(ByteBuffer()))
                    }
                }
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
    }

    /// Closes a connection whose client takes too long for a piece and so occupies a slot. That ends the write that
    /// waits for it.
    private func cut(_ channel: (any Channel)?, after time: Milliseconds) -> Scheduled<Void>? {
        guard let channel else { return nil }
        return channel.eventLoop.scheduleTask(in: .milliseconds(Int64(clamping: time.value))) {
            channel.close(promise: nil)
        }
    }

    /// Reads the next piece. If that fails, the status is already sent: the response is aborted, which the client
    /// notices by its length, and only this reports it to the operator.
    private func piece(
        of reader: (any FileReader)?, at offset: UInt64, bytesMax: Int
    ) async throws(FileError) -> [UInt8] {
        do throws(FileError) {
            guard let reader else { throw .unavailable(StoreError("A download was read beyond its end.")) }
            let bytes = try await reader.read(at: offset, bytesMax: bytesMax)
            guard !bytes.isEmpty else { throw .truncated(reader.file.id) }
            return bytes
        } catch {
            metrics.failed(error.code)
            report("a download was aborted \(error.logText)")
            throw error
        }
    }
}

/// The open file of a download, and its slot. Both are released when it is taken out and dropped, or when nobody is
/// left to take it.
private final class OpenDownload: Sendable {
    struct File: Sendable {
        let reader: any FileReader
        let place: DownloadSlots.Place
    }

    private let file: Mutex<File?>

    init(_ reader: any FileReader, _ place: DownloadSlots.Place) {
        file = Mutex(File(reader: reader, place: place))
    }

    func take() -> File? {
        file.withLock { file in
            defer { file = nil }
            return file
        }
    }
}

/// The parts of a body: the file's bytes, and the separators between several ranges (RFC 9110, section 14.6).
private struct FileParts: Sendable {
    enum Part: Sendable {
        case text(String)
        case bytes(Range<UInt64>)
    }

    let parts: [Part]
    /// For a single range.
    var contentRange: String?
    /// For several ranges.
    var contentType: String?

    init(whole size: UInt64) {
        parts = size == 0 ? [] : [.bytes(0..<size)]
    }

    init(_ ranges: [Range<UInt64>], of file: StoredFile, type: String) {
        func field(_ range: Range<UInt64>) -> String {
            "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
        }
        guard ranges.count > 1 else {
            parts = ranges.map { .bytes($0) }
            contentRange = ranges.first.map(field)
            return
        }
        // Random, so that no file can contain it on purpose.
        let boundary = FileID.random().value
        contentType = "multipart/byteranges; boundary=\"\(boundary)\""
        parts =
            ranges.flatMap { range -> [Part] in
                [
                    .text("\r\n--\(boundary)\r\nContent-Type: \(type)\r\nContent-Range: \(field(range))\r\n\r\n"),
                    .bytes(range),
                ]
            } + [.text("\r\n--\(boundary)--\r\n")]
    }

    /// The bytes of the file alone.
    var fileBytes: UInt64 {
        parts.reduce(0) { length, part in
            guard case .bytes(let range) = part else { return length }
            return length + (range.upperBound - range.lowerBound)
        }
    }

    var length: UInt64 {
        parts.reduce(0) { length, part in
            switch part {
            case .text(let text): length + UInt64(text.utf8.count)
            case .bytes(let range): length + (range.upperBound - range.lowerBound)
            }
        }
    }
}
