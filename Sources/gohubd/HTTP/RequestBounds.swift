internal import GoHubHTTP
internal import NIOCore
internal import NIOHTTP1

/// Bounds what a client can send for one request, by a pair of handlers around the HTTP decoder.
///
/// The decoder of swift-nio before 2.101.3 has no bound for a head as a whole. The first handler counts the bytes that
/// go into the decoder, in small pieces; the second sees what comes out of it, and says where the request stands.
///
/// A head that is too long is answered with 431 (RFC 6585, section 5) and the connection closed; so is one whose body
/// doesn't end, without an answer. Uploads have a bound of their own, and are never whole in memory.
enum RequestBounds {
    /// The most bytes of a request line and its header fields.
    static let headBytesMax = 16 * 1024
    /// The most bytes after a head, until the request ends: a body at its largest, and the marks between its chunks.
    static let bodyBytesMax = 256 * 1024

    /// How much is handed to the decoder at a time: by so much a bound may be missed.
    fileprivate static let pieceBytes = 2048
    /// The same of an upload, whose bound is far.
    fileprivate static let uploadPieceBytes = 32 * 1024

    /// Where the request stands. Used on one event loop only, by both handlers.
    fileprivate final class Progress {
        var isInBody = false
        /// The bound of the body that is being read.
        var bodyBytesMax = RequestBounds.bodyBytesMax
        /// Of the head or of the body, whichever is being read.
        var bytes = 0
        /// Requests whose response isn't complete.
        var unanswered = 0
    }

    /// The two handlers of one connection.
    ///
    /// - Parameter fileBytesMax: of a file that is uploaded, `nil` where there are none; what comes beyond is read only
    ///   to be thrown away, and the marks between its chunks are not counted.
    static func makeHandlers(
        fileBytesMax: UInt64?
    ) -> (beforeDecoder: any ChannelHandler, afterDecoder: any ChannelHandler) {
        let progress = Progress()
        let fileBytesMax = Int(clamping: min(fileBytesMax ?? 0, UInt64(Int.max / 4)))
        let uploadBytesMax = fileBytesMax * 2 + bodyBytesMax
        return (ByteCounter(progress), PartWatcher(progress, uploadBytesMax: uploadBytesMax))
    }

    /// Exactly the requests whose handler takes the body a piece at a time, and counts it.
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
                // Decodes at once, and so tells the progress through the second handler.
                context.fireChannelRead(wrapInboundOut(piece))
                if progress.bytes > (progress.isInBody ? progress.bodyBytesMax : headBytesMax) { refuse(context) }
            }
        }

        private var pieceBytes: Int {
            progress.isInBody && progress.bodyBytesMax > bodyBytesMax ? uploadPieceBytes : RequestBounds.pieceBytes
        }

        private func refuse(_ context: ChannelHandlerContext) {
            isOver = true
            // An answer in the middle of another would be read as a part of that one.
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
