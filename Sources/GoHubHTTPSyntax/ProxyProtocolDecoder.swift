package import NIOCore

/// The client behind a tunnelled connection.
package struct ProxiedClient: Equatable, Sendable {
    /// `nil` when the tunnel provided none.
    package var address: SocketAddress?
    /// Whether the client's own link is encrypted, to the hub or to a trusted proxy.
    package var isTLS = false

    package init(address: SocketAddress? = nil, isTLS: Bool = false) {
        self.address = address
        self.isTLS = isTLS
    }

    /// Set for everything that is done for the connection, so that a request's context and its log lines have it. `nil`
    /// outside of a connection with such a header.
    @TaskLocal package static var current: ProxiedClient?
}

/// Reads the PROXY protocol header, version 2, before the first byte of a tunnelled connection.
///
/// HAProxy's "The PROXY protocol", section 2.2: a signature of 12 bytes, version and command, family and transport, a
/// length, then the addresses and additions, of which only `PP2_TYPE_SSL` is read (section 2.2.6). Incremental: the
/// header may arrive in any pieces. Bytes before its end are held back; later bytes are passed on unchanged.
package final class ProxyProtocolDecoder: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    /// The reason why a connection was closed before its first request.
    package enum Failure: Error, Equatable {
        /// The first bytes aren't a PROXY header of version 2.
        case malformed
        /// The addresses and additions are longer than `payloadBytesMax`.
        case tooLong
        /// The connection ended inside the header.
        case truncated
    }

    /// Two Unix paths and some additions fit; real ones have about 40 bytes.
    package static let payloadBytesMax = 1024

    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
    private static let fixedBytes = 16

    /// The bytes until the header is complete; `nil` afterwards.
    private var pending: ByteBuffer? = ByteBuffer()
    private var hasFailed = false
    private let client: EventLoopPromise<ProxiedClient>

    /// - Parameter client: succeeds once the header was read, and fails when there is none.
    package init(client: EventLoopPromise<ProxiedClient>) {
        self.client = client
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasFailed else { return }
        var buffer = unwrapInboundIn(data)
        guard var rest = pending else {
            context.fireChannelRead(data)
            return
        }
        rest.writeBuffer(&buffer)
        pending = rest
        do throws(Failure) {
            guard let header = try Self.parse(rest) else { return }
            pending = nil
            rest.moveReaderIndex(forwardBy: header.bytes)
            client.succeed(header.client)
            if rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest)) }
        } catch {
            fail(error, context)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if pending != nil && !hasFailed { fail(.truncated, context) }
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        if pending != nil && !hasFailed { fail(.truncated, context) }
    }

    private func fail(_ failure: Failure, _ context: ChannelHandlerContext) {
        hasFailed = true
        pending = ByteBuffer()
        client.fail(failure)
        context.close(promise: nil)
    }

    // MARK: The header

    /// A complete header.
    package struct Header: Equatable {
        /// The size of the header in bytes.
        package var bytes: Int
        /// Without an address for a local connection, or for a family without an IP address.
        package var client: ProxiedClient
    }

    /// - Returns: `nil` while the header isn't complete. An invalid one is refused at its first wrong byte.
    package static func parse(_ buffer: ByteBuffer) throws(Failure) -> Header? {
        let bytes = buffer.readableBytesView
        guard zip(bytes, signature).allSatisfy({ $0 == $1 }) else { throw .malformed }
        guard let versionAndCommand = bytes.dropFirst(12).first else { return nil }
        guard versionAndCommand >> 4 == 2, versionAndCommand & 0x0F <= 1 else { throw .malformed }
        guard bytes.count >= fixedBytes,
            let length = buffer.getInteger(at: buffer.readerIndex + 14, as: UInt16.self)
        else { return nil }
        guard length <= payloadBytesMax else { throw .tooLong }
        let total = fixedBytes + Int(length)
        guard bytes.count >= total else { return nil }
        let isLocal = versionAndCommand & 0x0F == 0
        let family = bytes[bytes.startIndex + 13] >> 4
        let payload = buffer.getSlice(at: buffer.readerIndex + fixedBytes, length: Int(length)) ?? ByteBuffer()
        return Header(bytes: total, client: isLocal ? ProxiedClient() : try client(payload, family: family))
    }

    /// Source and destination address, source and destination port, of which only the source is used; then the
    /// additions.
    private static func client(_ payload: ByteBuffer, family: UInt8) throws(Failure) -> ProxiedClient {
        let addressBytes: Int
        switch family {
        case 1: addressBytes = 4
        case 2: addressBytes = 16
        // Unspecified, or a Unix socket: there is no address, which is no error.
        case 0, 3: return ProxiedClient()
        default: throw .malformed
        }
        let start = payload.readerIndex
        guard payload.readableBytes >= 2 * addressBytes + 4,
            let address = payload.getSlice(at: start, length: addressBytes),
            let port = payload.getInteger(at: start + 2 * addressBytes, as: UInt16.self),
            let peer = try? SocketAddress(packedIPAddress: address, port: Int(port))
        else { throw .malformed }
        let additions = payload.getSlice(
            at: start + 2 * addressBytes + 4, length: payload.readableBytes - 2 * addressBytes - 4)
        return ProxiedClient(address: peer, isTLS: additions.map { indicatesTLS($0) } ?? false)
    }

    /// Whether an addition reports that the client came over TLS: type 0x20, and the lowest bit of its first byte. A
    /// truncated one is ignored.
    private static func indicatesTLS(_ additions: ByteBuffer) -> Bool {
        var rest = additions
        while let type = rest.readInteger(as: UInt8.self), let length = rest.readInteger(as: UInt16.self),
            var value = rest.readSlice(length: Int(length))
        {
            if type == 0x20 { return (value.readInteger(as: UInt8.self) ?? 0) & 1 == 1 }
        }
        return false
    }
}
