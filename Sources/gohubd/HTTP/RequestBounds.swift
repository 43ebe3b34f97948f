internal import GoHubHTTP
internal import NIOCore
internal import NIOHTTP1

/// Bounds the bytes of one request, by a pair of handlers around the HTTP decoder.
///
/// The decoder of swift-nio before 2.101.3 has no bound for a whole head. The first handler counts the bytes that enter
/// the decoder, in small pieces; the second sees its output and tracks the state of the request.
///
/// A head that is too long is answered with 431 (RFC 6585, section 5) and the connection closed; a connection with an
/// endless body is closed without a response. Uploads have a separate bound, and are never completely in memory.
enum RequestBounds {
    /// The maximum size of a request line and its header fields.
    static let headBytesMax = 16 * 1024
    /// The maximum number of bytes after a head until the request ends: the largest body, and the marks between its
    /// chunks.
    static let bodyBytesMax = 256 * 1024

    /// The size of the pieces for the decoder, by which a bound may be exceeded.
    fileprivate static let pieceBytes = 2048
    /// The same for an upload, whose bound is large.
    fileprivate static let uploadPieceBytes = 32 * 1024

    /// The state of the request. Used on one event loop only, by both handlers.
    fileprivate final class Progress {
        var isInBody = false
        /// The bound of the current body.
        var bodyBytesMax = RequestBounds.bodyBytesMax
        /// The bytes of the current head or body so far.
        var bytes = 0
        /// Requests whose response isn't complete.
        var unanswered = 0
    }

    /// The two handlers of one connection.
    ///
    /// - Parameter fileBytesMax: the maximum size of an uploaded file, `nil` if files are off; bytes beyond it are read
    ///   and discarded, and the marks between its chunks are not counted.
    static func makeHandlers(
        fileBytesMax: UInt64?
    ) -> (beforeDecoder: any ChannelHandler, afterDecoder: any ChannelHandler) {
        let progress = Progress()
        let fileBytesMax = Int(clamping: min(fileBytesMax ?? 0, UInt64(Int.max / 4)))
        let uploadBytesMax = fileBytesMax * 2 + bodyBytesMax
        return (ByteCounter(progress), PartWatcher(progress, uploadBytesMax: uploadBytesMax))
    }

    /// Exactly the requests whose handler reads and counts the body piece by piece.
    private static func isUpload(_ head: HTTPRequestHead) -> Bool {
        let path = head.uri.prefix { $0 != "?" }
        switch head.method {
        case .POST: return path == FileAPI.filesPath
        case .PATCH:
            let beginning = FileAPI.uploadsPath + "/"
            let id = path.dropFirst(beginning.count)
            return path.hasPrefix(beginning) && !id.isEmpty && !id.contains("/")
        default: return false
        }
    }

    private final class ByteCounter: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias InboundOut = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let progress: Progress
        private var isOver = false

        init(_ progress: Progress) {
            self.progress = progress
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var buffer = unwrapInboundIn(data)
            while !isOver, let piece = buffer.readSlice(length: min(buffer.readableBytes, self.pieceBytes)),
                piece.readableBytes > 0
            {
                progress.bytes += piece.readableBytes
                // Decodes immediately, and so updates the progress through the second handler.
                context.fireChannelRead(wrapInboundOut(piece))
                if progress.bytes > (progress.isInBody ? progress.bodyBytesMax : headBytesMax) { refuse(context) }
            }
        }

        private var pieceBytes: Int {
            progress.isInBody && progress.bodyBytesMax > bodyBytesMax ? uploadPieceBytes : RequestBounds.pieceBytes
        }

        private func refuse(_ context: ChannelHandlerContext) {
            isOver = true
            // A response in the middle of another would be read as a part of that one.
            if !progress.isInBody && progress.unanswered == 0 {
                let response =
                    "HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: response)), promise: nil)
            }
            context.close(promise: nil)
        }
    }

    private final class PartWatcher: ChannelDuplexHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundIn = HTTPServerResponsePart

        private let progress: Progress
        private let uploadBytesMax: Int

        init(_ progress: Progress, uploadBytesMax: Int) {
            self.progress = progress
            self.uploadBytesMax = uploadBytesMax
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head):
                progress.isInBody = true
                progress.bodyBytesMax = isUpload(head) ? uploadBytesMax : bodyBytesMax
                progress.bytes = 0
                progress.unanswered += 1
            case .body: break
            case .end:
                progress.isInBody = false
                progress.bytes = 0
            }
            context.fireChannelRead(data)
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if case .end = unwrapOutboundIn(data) { progress.unanswered -= 1 }
            context.write(data, promise: promise)
        }
    }
}
