/// A TLS connection to a server, over a socket of its user.
///
/// `handshake` first, until it is `done`. Nothing waits: an outcome of `wantRead` or `wantWrite` states what the socket
/// must be ready for before **the same call** is repeated. Used by one thread.
///
/// A server that refuses the client's certificate may say so after the handshake (RFC 8446, section 4.4.2.4): the first
/// read reports it.
package final class TLSClientConnection {
    /// The outcome of a read or write.
    package typealias Outcome = TLSEngine.Outcome

    /// The outcome of a handshake step.
    package enum HandshakeOutcome: Equatable {
        /// The server's certificate is valid, and bytes can be read and written.
        case done
        case wantRead
        case wantWrite
        /// The reason, for the operator. Close the socket; every further call returns the same.
        case failed(TLSError)
    }

    private let engine: TLSEngine
    /// The socket must not be used any more: it may be another one's by now.
    private var isOver = false

    /// - Parameters:
    ///   - host: the name or address that was dialled. The server's certificate must be valid for it, unless the
    ///     context's settings have another name.
    ///   - descriptor: a connected, non-blocking socket, open for as long as this object is used. The caller closes it.
    /// - Throws: `TLSError` if `host` is neither a name nor an address, or OpenSSL cannot allocate.
    package init(context: TLSClientContext, host: String, descriptor: Int32) throws(TLSError) {
        let server: TLSServerName
        if let name = context.serverName { server = name } else { server = try TLSServerName(host) }
        engine = try TLSEngine(context: context, server: server, fd: descriptor, through: TLSSocketBIO())
    }

    /// Continues the handshake as far as the socket allows.
    package func handshake() -> HandshakeOutcome {
        switch engine.handshake() {
        case .done: .done
        case .wantRead: .wantRead
        case .wantWrite: .wantWrite
        case .failed(let error): .failed(error)
        case .closed:
            .failed(
                TLSError(
                    .closedInHandshake,
                    "The server closed the connection in the TLS handshake. Check that it speaks TLS on this port."))
        }
    }

    /// Reads some bytes, at most one record (16 KiB). Read until `wantRead`, or while `pendingBytes` is not zero: the
    /// socket does not become readable again for bytes that were already read from it.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        engine.read(into: buffer)
    }

    /// Sends at most one record (16 KiB), and returns how much of `buffer` that was. Write until `wantWrite`.
    ///
    /// Read first if the socket is ready for both: when a write finds that the server has left, what it sent before is
    /// lost, except an alert.
    ///
    /// - Important: after `wantWrite` or `wantRead` the next write must begin with the same bytes and be no shorter; it
    ///   may be at another address.
    package func write(_ buffer: UnsafeRawBufferPointer) -> Outcome {
        let outcome = engine.write(buffer)
        guard outcome == .closed, !isOver else { return outcome }
        isOver = true
        // The server may have said why before it left.
        return engine.unreadAlert().map { .failed($0) } ?? .closed
    }

    /// Decrypted bytes that wait for a read.
    package var pendingBytes: Int { engine.pendingBytes }

    /// Tells the server, if the socket accepts it at once, and ends the connection. The socket stays open.
    package func close() {
        isOver = true
        engine.shutdown()
    }
}
