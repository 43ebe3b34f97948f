internal import CGoHubOpenSSL
internal import GoHubCore

/// The reason why a TLS configuration cannot be used, or why a TLS connection failed.
///
/// `code` is for decisions and metrics. `message` is one sentence for a log: it names files and OpenSSL's reason,
/// never the content of a file.
public struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure. More may be added: keep a default when you switch over it.
    public struct Code: RawRepresentable, Sendable, Hashable {
        /// A short stable name, usable as a metric label.
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        // Configuration and files.

        /// The configuration contradicts itself.
        public static let invalidConfiguration = Code(rawValue: "invalid_configuration")
        /// A file does not exist.
        public static let fileNotFound = Code(rawValue: "file_not_found")
        /// The process may not read a file.
        public static let permissionDenied = Code(rawValue: "permission_denied")
        /// A file cannot be read for another reason, is not a regular file, or is too large.
        public static let unreadableFile = Code(rawValue: "unreadable_file")
        /// A file does not contain the expected PEM data.
        public static let notPEM = Code(rawValue: "not_pem")
        /// The private key is protected by a passphrase.
        public static let encryptedKey = Code(rawValue: "encrypted_key")
        /// The private key belongs to another certificate.
        public static let keyMismatch = Code(rawValue: "key_mismatch")
        /// The certificate has expired.
        public static let certificateExpired = Code(rawValue: "certificate_expired")
        /// The certificate is not valid yet.
        public static let certificateNotYetValid = Code(rawValue: "certificate_not_yet_valid")
        /// OpenSSL refuses the certificate or key, for example because it is too weak.
        public static let unusableCertificate = Code(rawValue: "unusable_certificate")

        // Connections.

        /// The peer sent plain HTTP to a TLS port.
        public static let plainHTTP = Code(rawValue: "plain_http")
        /// The first bytes were not TLS.
        public static let notTLS = Code(rawValue: "not_tls")
        /// The peer offers no allowed version.
        public static let unsupportedVersion = Code(rawValue: "unsupported_version")
        /// The peer offers no allowed suite or group.
        public static let nothingInCommon = Code(rawValue: "nothing_in_common")
        /// The peer offered ALPN without `http/1.1`.
        public static let noApplicationProtocol = Code(rawValue: "no_application_protocol")
        /// A client certificate is required, and none was presented.
        public static let clientCertificateMissing = Code(rawValue: "client_certificate_missing")
        /// The client's certificate did not verify.
        public static let clientCertificateRejected = Code(rawValue: "client_certificate_rejected")
        /// The peer sent a fatal alert, for example because it does not trust the server's certificate.
        public static let alertReceived = Code(rawValue: "alert_received")
        /// The peer keeps sending handshake messages, such as key updates, and no data.
        public static let tooManyControlRecords = Code(rawValue: "too_many_control_records")
        /// The peer violated the protocol in another way.
        public static let protocolViolation = Code(rawValue: "protocol_violation")

        // Connections to servers.

        /// The server closed the connection during the handshake.
        package static let closedInHandshake = Code(rawValue: "closed_in_handshake")
        /// No trusted authority has signed the server's certificate.
        package static let serverCertificateUntrusted = Code(rawValue: "server_certificate_untrusted")
        /// The server's certificate is for other names and addresses.
        package static let serverNameMismatch = Code(rawValue: "server_name_mismatch")
        /// The server's certificate, or one that signed it, has expired.
        package static let serverCertificateExpired = Code(rawValue: "server_certificate_expired")
        /// The server's certificate, or one that signed it, is not valid yet.
        package static let serverCertificateNotYetValid = Code(rawValue: "server_certificate_not_yet_valid")
        /// The server's certificate did not verify for another reason.
        package static let serverCertificateRejected = Code(rawValue: "server_certificate_rejected")

        // The machine.

        /// A system call failed.
        public static let system = Code(rawValue: "system")
        /// OpenSSL could not allocate, or failed internally.
        public static let library = Code(rawValue: "library")
    }

    /// The kind of failure.
    public let code: Code

    /// One sentence that says what happened and, where there is something to do, what to do.
    public let message: String

    /// The error that caused this one, if any. Neither printed nor compared.
    public let underlying: (any Error)?

    init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.underlying = underlying
    }

    public var description: String { message }
}

extension TLSError: CodedError {}

// MARK: - From OpenSSL's error queue

extension TLSError {
    /// An error on our side: OpenSSL failed at `doing`, and its queue has the reason.
    static func queued(_ doing: String, as code: Code = .library) -> TLSError {
        TLSError(code, "\(doing): \(queuedReason()).")
    }

    /// The oldest entry of this thread's queue, the one nearest the cause, as text. Empties the queue.
    static func queuedReason() -> String {
        let error = ERR_peek_error()
        ERR_clear_error()
        guard error != 0 else { return "OpenSSL reports no reason" }
        return reasonText(error)
    }

    static func reasonText(_ error: UInt) -> String {
        guard let text = ERR_reason_error_string(error) else { return "OpenSSL error \(String(error, radix: 16))" }
        return String(cString: text)
    }

    /// The first entry of the TLS layer in this thread's queue, or the oldest if it has none. Entries of the layers
    /// below, such as a signature that does not fit, explain the failure, but do not state what happened to the
    /// connection. Empties the queue. 0 if there was none.
    private static func takeConnectionError() -> UInt {
        defer { ERR_clear_error() }
        let oldest = ERR_peek_error()
        // The queue is a ring of 16.
        while case let error = ERR_get_error(), error != 0 {
            if ERR_GET_LIB(error) == ERR_LIB_SSL { return error }
        }
        return oldest
    }

    /// OpenSSL's text for a result of `SSL_get_verify_result`.
    static func verificationText(_ result: Int) -> String {
        X509_verify_cert_error_string(result).map { String(cString: $0) } ?? "unknown reason"
    }

    /// Interprets a connection's `SSL_ERROR_SSL` by this thread's queue. `nil` stands for an end of stream without
    /// close_notify, which OpenSSL 3 counts as a protocol error and we count as the peer's departure.
    static func connection(_ ssl: OpaquePointer) -> TLSError? {
        let error = takeConnectionError()
        guard error != 0 else {
            return TLSError(.protocolViolation, "The TLS connection failed, and OpenSSL reports no reason.")
        }
        let reason = ERR_GET_REASON(error)
        if reason == gohub_ERR_R_MALLOC_FAILURE() {
            return TLSError(.library, "OpenSSL could not allocate memory for a connection.")
        }
        guard ERR_GET_LIB(error) == ERR_LIB_SSL else {
            return TLSError(.protocolViolation, "The TLS peer violated the protocol: \(reasonText(error)).")
        }
        if SSL_is_server(ssl) == 0, let ofClient = ofClient(ssl, error: error) { return ofClient }
        switch reason {
        case SSL_R_UNEXPECTED_EOF_WHILE_READING:
            return nil
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST:
            return TLSError(.plainHTTP, "The peer sent plain HTTP on a TLS port. Use https:// or wss://.")
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNKNOWN_PROTOCOL, SSL_R_RECORD_LENGTH_MISMATCH:
            return TLSError(.notTLS, "The peer's bytes are not TLS records: \(reasonText(error)).")
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_NO_PROTOCOLS_AVAILABLE:
            return TLSError(.unsupportedVersion, "The peer offers no allowed TLS version.")
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_GROUPS,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
            return TLSError(.nothingInCommon, "The peer offers no allowed cryptography: \(reasonText(error)).")
        case SSL_R_NO_APPLICATION_PROTOCOL:
            return TLSError(.noApplicationProtocol, "The peer offered ALPN protocols without http/1.1.")
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return TLSError(.clientCertificateMissing, "The client presented no certificate, but one is required.")
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            let why = verificationText(SSL_get_verify_result(ssl))
            return TLSError(.clientCertificateRejected, "The client's certificate was rejected: \(why).")
        case SSL_AD_REASON_OFFSET...(SSL_AD_REASON_OFFSET + 255):
            return TLSError(.alertReceived, "The TLS peer sent an alert: \(reasonText(error)).")
        default:
            return TLSError(.protocolViolation, "The TLS peer violated the protocol: \(reasonText(error)).")
        }
    }
}
