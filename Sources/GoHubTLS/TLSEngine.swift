internal import CGoHubOpenSSL
internal import Glibc
internal import GoHubSystem

/// TLS for one connection: turns the plain bytes of its owner into records on a socket, and back.
///
/// OpenSSL reads and writes the socket itself, so no byte is copied on the way. The engine neither owns nor closes the
/// socket, never waits, and is used by one thread. An outcome of `wantRead` or `wantWrite`
/// states what the socket must be ready for before **the same call** is repeated. A read may want to write and a write
/// may want to read, because TLS has its own messages.
package final class TLSEngine {
    /// The outcome of a read or write.
    package enum Outcome: Equatable {
        /// This number of bytes was read or accepted, at least one unless the buffer was empty.
        case ok(Int)
        /// Nothing was transferred; repeat when the socket is readable.
        case wantRead
        /// Nothing was transferred; repeat when the socket is writable.
        case wantWrite
        /// The peer has closed the connection (close_notify), or its stream ended or was reset.
        case closed
        /// The connection is unusable. Close the socket; every further call returns the same.
        case failed(TLSError)
    }

    /// The outcome of a handshake step.
    package enum HandshakeOutcome: Equatable {
        case done
        case wantRead
        case wantWrite
        /// The peer closed the connection during the handshake.
        case closed
        /// The handshake failed; an alert has reported the reason to the peer if possible.
        case failed(TLSError)
    }

    /// Consecutive key updates, renegotiation attempts and warnings without any data between them. One that wants an
    /// answer counts twice. Nobody needs more than one; each costs a key derivation.
    static let controlRecordsMax = 32

    /// The lifecycle of a connection. No call reaches OpenSSL once it is `.over`.
    private enum Phase {
        /// Exits: `open`, `over`.
        case handshaking
        /// Exits: `readingEnded`, `over`.
        case open
        /// The peer sent close_notify; we may still write. Exit: `over`.
        case readingEnded
        /// We sent close_notify, the peer has left, or the connection failed.
        case over(TLSError?)
    }

    private let ssl: OpaquePointer
    private let fd: Int32
    private let socket: TLSSocketBIO
    private var phase = Phase.handshaking
    private var controlRecords = 0

    /// The server's end of a connection.
    ///
    /// - Parameters:
    ///   - fd: a connected, non-blocking socket, open for as long as the engine is used.
    ///   - socket: OpenSSL's access to it, shared by all engines of a thread.
    /// - Throws: `TLSError` with `.library` if OpenSSL cannot allocate.
    package convenience init(context: TLSContext, fd: Int32, through socket: TLSSocketBIO) throws(TLSError) {
        try self.init(context.pointer, fd: fd, through: socket)
        SSL_set_accept_state(ssl)
    }

    /// The client's end of a connection.
    ///
    /// - Parameter server: what the server's certificate must be valid for.
    convenience init(
        context: TLSClientContext, server: TLSServerName, fd: Int32, through socket: TLSSocketBIO
    ) throws(TLSError) {
        try self.init(context.pointer, fd: fd, through: socket)
        guard server.require(on: ssl) else { throw TLSError.queued("Cannot set the name of a TLS server") }
        SSL_set_connect_state(ssl)
    }

    private init(_ context: OpaquePointer, fd: Int32, through socket: TLSSocketBIO) throws(TLSError) {
        ERR_clear_error()
        guard let bio = socket.bio else { throw TLSError.queued("Cannot create the BIO method for TLS sockets") }
        guard let ssl = SSL_new(context) else { throw TLSError.queued("Cannot create a TLS connection") }
        self.ssl = ssl
        self.fd = fd
        self.socket = socket
        // Takes one reference, for reading and writing together.
        BIO_up_ref(bio)
        SSL_set_bio(ssl, bio, bio)
    }

    deinit {
        SSL_free(ssl)
    }
}

// MARK: - Input and output

extension TLSEngine {
    /// Continues the handshake as far as the socket allows.
    package func handshake() -> HandshakeOutcome {
        switch phase {
        case .handshaking: break
        case .open, .readingEnded: return .done
        case .over(let error): return error.map { .failed($0) } ?? .closed
        }
        while true {
            prepare()
            let result = SSL_do_handshake(ssl)
            if result == 1 {
                phase = .open
                return .done
            }
            switch reasonToStop(result) {
            case .interrupted: continue
            case .wouldBlockReading, .controlRecord: return .wantRead
            case .wouldBlockWriting: return .wantWrite
            case .closeNotify:
                phase = .over(nil)
                return .closed
            case .over(let error): return error.map { .failed($0) } ?? .closed
            }
        }
    }

    /// Reads the contents of one record, or as much of it as fits. Read until `wantRead`, or return while
    /// `pendingBytes` is not zero: the socket does not become readable again for bytes that OpenSSL has already read.
    /// Does nothing before the handshake is complete.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        switch phase {
        case .open: break
        case .handshaking: return .wantRead
        case .readingEnded: return .closed
        case .over(let error): return error.map { .failed($0) } ?? .closed
        }
        guard let start = buffer.baseAddress, !buffer.isEmpty else { return .ok(0) }
        while true {
            prepare()
            var count = 0
            // `start` is valid for `buffer.count` bytes during the call, and OpenSSL keeps no pointer to it.
            let result = SSL_read_ex(ssl, start, buffer.count, &count)
            if result == 1 {
                controlRecords = 0
                return .ok(count)
            }
            switch reasonToStop(result) {
            case .interrupted: continue
            case .wouldBlockReading: return .wantRead
            case .wouldBlockWriting: return .wantWrite
            case .controlRecord:
                controlRecords += 1
                guard controlRecords <= Self.controlRecordsMax else {
                    let error = TLSError(
                        .tooManyControlRecords,
                        "The TLS peer keeps sending handshake messages, such as key updates, and no data."
                    )
                    phase = .over(error)
                    return .failed(error)
                }
            case .closeNotify:
                phase = .readingEnded
                return .closed
            case .over(let error): return error.map { .failed($0) } ?? .closed
            }
        }
    }

    /// Encrypts and sends at most one record (16 KiB), and returns how much of `buffer` that was. Write until
    /// `wantWrite`.
    ///
    /// - Important: after `wantWrite` OpenSSL holds an encrypted record of these very bytes. The next write must begin
    ///   with the same bytes and be no shorter; it may be at another address. Nothing, not even a control frame, may be
    ///   put before them. Does nothing before the handshake is complete.
    package func write(_ buffer: UnsafeRawBufferPointer) -> Outcome {
        switch phase {
        case .open, .readingEnded: break
        case .handshaking: return .wantWrite
        case .over(let error): return error.map { .failed($0) } ?? .closed
        }
        guard let start = buffer.baseAddress, !buffer.isEmpty else { return .ok(0) }
        while true {
            prepare()
            var count = 0
            // As for reading: valid during the call. With ACCEPT_MOVING_WRITE_BUFFER we needn't keep it.
            let result = SSL_write_ex(ssl, start, buffer.count, &count)
            if result == 1 { return .ok(count) }
            switch reasonToStop(result) {
            case .interrupted: continue
            case .wouldBlockReading, .controlRecord: return .wantRead
            case .wouldBlockWriting: return .wantWrite
            case .closeNotify: return .closed
            case .over(let error): return error.map { .failed($0) } ?? .closed
            }
        }
    }

    /// What the peer said before it left, when a write has found it gone.
    func unreadAlert() -> TLSError? {
        prepare()
        var byte: UInt8 = 0
        var count = 0
        let result = SSL_read_ex(ssl, &byte, 1, &count)
        guard result != 1, SSL_get_error(ssl, result) == SSL_ERROR_SSL else {
            ERR_clear_error()
            return nil
        }
        guard let error = TLSError.connection(ssl) else { return nil }
        phase = .over(error)
        return error
    }

    /// Sends close_notify, if the socket accepts it at once, and ends the engine. Does nothing on a failed connection:
    /// RFC 8446 section 6.2 allows no more records.
    package func shutdown() {
        switch phase {
        case .open, .readingEnded:
            phase = .over(nil)
            prepare()
            // 0: sent; 1: sent, and the peer's had arrived; negative: it did not fit, and we don't wait.
            _ = SSL_shutdown(ssl)
            ERR_clear_error()
        case .handshaking:
            phase = .over(nil)
        case .over:
            break
        }
    }

    /// Decrypted bytes inside the engine that wait for a read.
    package var pendingBytes: Int {
        switch phase {
        case .open: Int(SSL_pending(ssl))
        case .handshaking, .readingEnded, .over: 0
        }
    }
}

// MARK: - Reading OpenSSL's mind

extension TLSEngine {
    private enum Stop {
        case interrupted
        case wouldBlockReading
        case wouldBlockWriting
        /// A record without data was processed, and the socket may have more.
        case controlRecord
        case closeNotify
        /// Nothing more can be done; `phase` is already `.over`.
        case over(TLSError?)
    }

    /// Clears the thread's error queue and `errno`, from which OpenSSL derives a result: remains of an earlier call,
    /// perhaps of another connection, must not count.
    private func prepare() {
        socket.use(fd)
        // Nearly always empty, which is cheaper to check than to clear.
        if ERR_peek_error() != 0 { ERR_clear_error() }
        errno = 0
    }

    /// The reason why a call returned `result` instead of success. Must be called directly after the call.
    private func reasonToStop(_ result: Int32) -> Stop {
        let systemError = errno
        let code = SSL_get_error(ssl, result)
        switch code {
        case SSL_ERROR_WANT_READ:
            switch systemError {
            case EINTR: return .interrupted
            // Without AUTO_RETRY this code has two meanings, which only `errno` distinguishes.
            case 0: return .controlRecord
            default: return .wouldBlockReading
            }
        case SSL_ERROR_WANT_WRITE:
            return systemError == EINTR ? .interrupted : .wouldBlockWriting
        case SSL_ERROR_ZERO_RETURN:
            return .closeNotify
        case SSL_ERROR_SYSCALL:
            // 0 is an end of stream; the others mean that the peer has left, which is no failure of ours.
            switch systemError {
            case 0, ECONNRESET, EPIPE: return over(nil)
            default:
                let text = systemErrorText(systemError)
                return over(TLSError(.system, "The socket under a TLS connection failed: \(text)."))
            }
        case SSL_ERROR_SSL:
            return over(TLSError.connection(ssl))
        default:
            // The other codes belong to callbacks and engines that we don't install.
            return over(TLSError(.library, "OpenSSL stopped a TLS connection for an unexpected reason (\(code))."))
        }
    }

    private func over(_ error: TLSError?) -> Stop {
        phase = .over(error)
        return .over(error)
    }
}

// MARK: - Negotiated parameters

extension TLSEngine {
    /// The TLS version, once the handshake is complete.
    var protocolVersion: TLSVersion? {
        guard SSL_is_init_finished(ssl) == 1 else { return nil }
        return switch SSL_version(ssl) {
        case TLS1_2_VERSION: .tls12
        case TLS1_3_VERSION: .tls13
        default: nil
        }
    }

    /// The suite's name as in OpenSSL, for example `TLS_AES_128_GCM_SHA256`.
    var cipher: String? {
        guard let cipher = SSL_get_current_cipher(ssl), let name = SSL_CIPHER_get_name(cipher) else { return nil }
        return String(cString: name)
    }

    /// The ALPN protocol, `nil` if the client offered none.
    var negotiatedALPN: String? {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &start, &count)
        guard let start, count > 0 else { return nil }
        // Owned by `ssl`, which outlives this function.
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
    }

    /// Whether an earlier session was resumed by a ticket.
    var isResumed: Bool {
        SSL_session_reused(ssl) == 1
    }

    /// The verified client certificate's subject (RFC 2253 form, such as `CN=alice,O=Example`), `nil` if the client
    /// presented none.
    var peerCertificateSubject: String? {
        guard SSL_get_verify_result(ssl) == X509_V_OK, let certificate = SSL_get0_peer_certificate(ssl),
            let bio = BIO_new(BIO_s_mem())
        else { return nil }
        defer { BIO_free(bio) }
        let flags = gohub_XN_FLAG_RFC2253()
        guard X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, flags) >= 0 else { return nil }
        var start: UnsafeMutablePointer<CChar>?
        let count = gohub_BIO_get_mem_data(bio, &start)
        guard let start, count > 0 else { return nil }
        // Owned by `bio`, which outlives the copy into a String.
        let bytes = UnsafeRawBufferPointer(start: start, count: count)
        return String(decoding: bytes, as: UTF8.self)
    }
}
