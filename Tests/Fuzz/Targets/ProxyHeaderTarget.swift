internal import NIOCore
internal import NIOEmbedded

@testable import GoHubWire
@testable import GoHubHTTPSyntax

extension FuzzTarget {
    /// The PROXY header in front of a tunnelled connection. The first byte chooses how the rest is split.
    static let proxyHeader = FuzzTarget("proxyHeader", bytesMax: 2048) { bytes in
        var input = FuzzInput(bytes)
        let cut = input.byte()
        let stream = Array(input.rest)
        let whole = try Tunnelled([stream])
        try requireEqual(whole, Tunnelled(stream.parts(cut: cut)), "a header is read alike however it is cut")
        if let header = parsed(stream) {
            try require(header.bytes <= 16 + ProxyProtocolDecoder.payloadBytesMax, "a header is within its bound")
            try requireEqual(whole.passedOn, Array(stream[header.bytes...]), "what follows a header is passed on")
            for count in 0..<header.bytes {
                try require(
                    try ProxyProtocolDecoder.parse(ByteBuffer(bytes: stream[..<count])) == nil,
                    "a header needs all its bytes")
            }
        } else {
            try require(whole.passedOn.isEmpty, "nothing is passed on without a header")
        }
        try checkOwnHeader(stream)
    }

    private static func parsed(_ bytes: [UInt8]) -> ProxyProtocolDecoder.Header? {
        (try? ProxyProtocolDecoder.parse(ByteBuffer(bytes: bytes))) ?? nil
    }

    /// gohubd must read every header that Wire writes.
    private static func checkOwnHeader(_ bytes: [UInt8]) throws {
        guard bytes.count >= 34 else { return }
        for (count, family) in [(4, 4), (16, 16), (4, 16)] {
            let client = GoHubWire.SocketAddress(ip: Array(bytes[..<count]), port: UInt16(bytes[32]))
            let server = GoHubWire.SocketAddress(ip: Array(bytes[16..<16 + family]), port: UInt16(bytes[33]))
            let isTLS = bytes[32] & 1 == 1
            let written = ProxyHeader.encode(client: client, server: server, isTLS: isTLS)
            guard let header = parsed(written), let peer = header.client.address?.ipAddress else {
                throw BrokenPromise(description: "broken: our own header is read")
            }
            try requireEqual(header.bytes, written.count, "our own header has the length that it tells")
            try requireEqual(
                GoHubWire.SocketAddress(ip: peer), GoHubWire.SocketAddress(ip: client.ip, port: 0), "the client is told"
            )
            try requireEqual(header.client.address?.port, Int(client.port), "and its port")
            try requireEqual(header.client.isTLS, isTLS, "and whether it came over TLS")
        }
    }
}

/// The outcome of a tunnelled connection.
private struct Tunnelled: Equatable {
    var passedOn: [UInt8] = []
    var client: ProxiedClient?
    var failure: ProxyProtocolDecoder.Failure?
    var isClosed = false

    init(_ parts: [[UInt8]]) throws {
        let channel = EmbeddedChannel()
        let promise = channel.eventLoop.makePromise(of: ProxiedClient.self)
        try channel.pipeline.syncOperations.addHandler(ProxyProtocolDecoder(client: promise))
        try channel.connect(to: NIOCore.SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        for part in parts where channel.isActive { try channel.writeInbound(ByteBuffer(bytes: part)) }
        isClosed = !channel.isActive
        while let buffer = try channel.readInbound(as: ByteBuffer.self) { passedOn += buffer.readableBytesView }
        // The end of the connection completes the promise if nothing has completed it yet.
        _ = try? channel.finish(acceptAlreadyClosed: true)
        do {
            client = try promise.futureResult.wait()
        } catch {
            failure = error as? ProxyProtocolDecoder.Failure
            try require(failure != nil, "a refusal has its reason")
        }
    }
}
