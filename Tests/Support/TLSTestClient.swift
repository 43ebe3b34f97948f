internal import CGoHubOpenSSL
internal import Glibc

/// A TLS client for tests, over a connected socket that the caller owns.
///
/// It is used in one of two ways. `connect`, `read`, `write` and `close` wait (with `poll`, each for at most
/// `timeoutMs`, so that a hung server fails a test instead of hanging it). `step…` never wait, for tests that drive
/// both sides on one thread. It makes the socket non-blocking, and the process ignore SIGPIPE.
public final class TLSTestClient {
    public struct Options: Sendable {
        /// The authority to trust; `nil` trusts any certificate.
        public var caPath: String?
        /// Sent as SNI; the server's certificate must be valid for it.
        public var serverName = "localhost"
        public var version = 0x0303...0x0304
        /// The offered ALPN protocols; empty offers none.
        public var protocols = ["http/1.1"]
        public var certificate: TestCertificates.Pair?
        /// A `resumableSession` of an earlier client.
        public var session: Session?
        public var timeoutMs: Int32 = 60_000

        public init(caPath: String?) {
            self.caPath = caPath
        }
    }

    /// A session with a ticket from a server.
    public final class Session: @unchecked Sendable {
        // Reference counted, and unchanged after its connection: unchecked is correct.
        fileprivate let pointer: OpaquePointer

        fileprivate init(_ pointer: OpaquePointer) {
            self.pointer = pointer
        }

        deinit {
            SSL_SESSION_free(pointer)
        }
    }

    public enum Step: Equatable, Sendable {
        case ok(Int)
        case wantRead
        case wantWrite
        /// The server sent close_notify.
        case closed
        case failed(String)
    }

    public struct Failure: Error, Equatable, CustomStringConvertible {
        public let description: String
    }

    private let fd: Int32
    private let timeoutMs: Int32
    private let context: OpaquePointer
    private let ssl: OpaquePointer

    private static let ignoreBrokenPipes: Void = {
        signal(SIGPIPE, SIG_IGN)
    }()

    public init(fd: Int32, options: Options) throws {
        _ = Self.ignoreBrokenPipes
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw Failure(description: "SSL_CTX_new") }
        _ = gohub_SSL_CTX_set_mode(context, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        guard let ssl = SSL_new(context) else {
            SSL_CTX_free(context)
            throw Failure(description: "SSL_new")
        }
        self.fd = fd
        self.timeoutMs = options.timeoutMs
        self.context = context
        self.ssl = ssl
        try configure(options)
        guard fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0, SSL_set_fd(ssl, fd) == 1 else {
            throw Failure(description: "cannot use descriptor \(fd)")
        }
        SSL_set_connect_state(ssl)
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
    }

    private func configure(_ options: Options) throws {
        // Set on the SSL object, which has already copied the context's settings. Security level 0: tests also offer
        // parameters that the server must refuse.
        var isGood =
            SSL_set_cipher_list(ssl, "ALL:@SECLEVEL=0") == 1
            && gohub_SSL_set_min_proto_version(ssl, Int32(options.version.lowerBound)) == 1
            && gohub_SSL_set_max_proto_version(ssl, Int32(options.version.upperBound)) == 1
            && gohub_SSL_set_tlsext_host_name(ssl, options.serverName) == 1
            && SSL_set1_host(ssl, options.serverName) == 1
        if let path = options.caPath {
            isGood = isGood && SSL_CTX_load_verify_file(context, path) == 1
            SSL_set_verify(ssl, SSL_VERIFY_PEER, nil)
        }
        if !options.protocols.isEmpty {
            let list = options.protocols.flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) }
            isGood = isGood && SSL_set_alpn_protos(ssl, list, UInt32(list.count)) == 0
        }
        if let pair = options.certificate {
            isGood =
                isGood && SSL_use_certificate_chain_file(ssl, pair.chainPath) == 1
                && SSL_use_PrivateKey_file(ssl, pair.keyPath, SSL_FILETYPE_PEM) == 1
        }
        if let session = options.session {
            isGood = isGood && SSL_set_session(ssl, session.pointer) == 1
        }
        guard isGood else { throw Failure(description: Self.queuedReason()) }
    }
}

// MARK: - Waiting

extension TLSTestClient {
    /// Performs the handshake and verifies the server.
    public func connect() throws {
        _ = try wait { stepHandshake() }
    }

    /// Waits for some bytes, at most `countMax`. Empty means that the server sent close_notify.
    public func read(upTo countMax: Int = 65_536) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: countMax)
        let count = try wait { bytes.withUnsafeMutableBytes { stepRead(into: $0) } }
        return Array(bytes.prefix(count))
    }

    /// Writes all of the bytes.
    public func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try wait { rest.withUnsafeBytes { stepWrite($0) } }
            guard count > 0 else { throw Failure(description: "closed") }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends close_notify if the socket accepts it. The socket stays open and remains the caller's.
    public func close() {
        ERR_clear_error()
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    private func wait(for step: () -> Step) throws -> Int {
        while true {
            let events: Int32
            switch step() {
            case .ok(let count): return count
            case .closed: return 0
            case .failed(let reason): throw Failure(description: reason)
            case .wantRead: events = POLLIN
            case .wantWrite: events = POLLOUT
            }
            var descriptor = pollfd(fd: fd, events: Int16(events), revents: 0)
            guard poll(&descriptor, 1, timeoutMs) > 0 else {
                throw Failure(description: "nothing happened in \(timeoutMs) ms")
            }
        }
    }
}

// MARK: - Not waiting

extension TLSTestClient {
    public func stepHandshake() -> Step {
        prepare()
        let result = SSL_do_handshake(ssl)
        return result == 1 ? .ok(0) : outcome(result)
    }

    public func stepRead(into buffer: UnsafeMutableRawBufferPointer) -> Step {
        prepare()
        var count = 0
        let result = SSL_read_ex(ssl, buffer.baseAddress, buffer.count, &count)
        return result == 1 ? .ok(count) : outcome(result)
    }

    public func stepWrite(_ buffer: UnsafeRawBufferPointer) -> Step {
        prepare()
        var count = 0
        let result = SSL_write_ex(ssl, buffer.baseAddress, buffer.count, &count)
        return result == 1 ? .ok(count) : outcome(result)
    }

    /// Sends a TLS 1.3 key update, which requests one from the server in return.
    public func stepKeyUpdate() -> Step {
        prepare()
        guard SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 else { return .failed(Self.queuedReason()) }
        return stepHandshake()
    }

    /// Requests a renegotiation from a TLS 1.2 server.
    public func stepRenegotiation() -> Step {
        prepare()
        guard SSL_renegotiate(ssl) == 1 else { return .failed(Self.queuedReason()) }
        return stepHandshake()
    }

    private func prepare() {
        ERR_clear_error()
        errno = 0
    }

    private func outcome(_ result: Int32) -> Step {
        let systemError = errno
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantRead
        case SSL_ERROR_WANT_WRITE: return .wantWrite
        case SSL_ERROR_ZERO_RETURN: return .closed
        case SSL_ERROR_SYSCALL: return .failed("system error \(systemError)")
        default: return .failed(Self.queuedReason())
        }
    }

    /// The first reason of the TLS layer in OpenSSL's queue; lower layers may have added theirs before it.
    private static func queuedReason() -> String {
        var reason = ERR_peek_error()
        while case let error = ERR_get_error(), error != 0 {
            guard ERR_GET_LIB(error) == ERR_LIB_SSL else { continue }
            reason = error
            break
        }
        ERR_clear_error()
        return ERR_reason_error_string(reason).map { String(cString: $0) } ?? "no reason given"
    }
}

// MARK: - Negotiated parameters

extension TLSTestClient {
    /// `TLSv1.2` or `TLSv1.3`.
    public var version: String { String(cString: SSL_get_version(ssl)) }

    public var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    /// The serial number of the server's certificate, which distinguishes certificates.
    public var serverCertificateSerial: Int64? {
        guard let certificate = SSL_get0_peer_certificate(ssl) else { return nil }
        var serial: Int64 = 0
        return ASN1_INTEGER_get_int64(&serial, X509_get0_serialNumber(certificate)) == 1 ? serial : nil
    }

    /// The session for a later client's `Options.session`. In TLS 1.3 the ticket arrives after the handshake: read some
    /// bytes first.
    public var resumableSession: Session? {
        guard let session = SSL_get1_session(ssl) else { return nil }
        guard SSL_SESSION_is_resumable(session) == 1 else {
            SSL_SESSION_free(session)
            return nil
        }
        return Session(session)
    }
}
