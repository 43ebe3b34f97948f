internal import CGoHubOpenSSL

/// The server side of TLS, shared by all connections: certificate, key, suites and ticket keys, checked once and
/// immutable afterwards.
///
/// It allows (Mozilla's "intermediate" profile without finite-field Diffie-Hellman):
/// - TLS 1.2 and 1.3, no renegotiation, no compression, no early data.
/// - Only suites with an ephemeral elliptic-curve key exchange and an authenticated cipher, in the server's order,
///   except that a client that puts ChaCha20 first (a phone without AES instructions) gets it.
/// - Groups X25519, P-256, P-384.
/// - ALPN `http/1.1` (RFC 7301). A client that offers ALPN without it is refused.
/// - Session tickets (RFC 5077, RFC 8446 section 4.6.1), and no session cache on the server. OpenSSL makes the keys,
///   random and **fresh in each context**: a reload makes new ones, so that a ticket never outlives the certificate and
///   the authorities it was issued under. OpenSSL does not replace them during the life of a context; a server that
///   runs for months without a new certificate should reload daily.
package final class TLSContext: @unchecked Sendable {
    // Unchecked is right: an SSL_CTX is reference counted, OpenSSL lets many threads make connections from one, and
    // nothing changes its settings after `init`.

    /// Valid for the life of this object; each `SSL` made from it holds its own reference.
    let pointer: OpaquePointer

    /// Reads and checks the files.
    ///
    /// - Throws: `TLSError` that names the file and the problem.
    package init(_ configuration: TLSConfiguration) throws(TLSError) {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(TLS_server_method()) else {
            throw TLSError.queued("Cannot create a TLS context")
        }
        self.pointer = pointer
        try TLSContextSetup.setProtocol(pointer, minimumVersion: configuration.minimumVersion)
        _ = SSL_CTX_set_options(pointer, gohub_SSL_OP_CIPHER_SERVER_PREFERENCE() | gohub_SSL_OP_PRIORITIZE_CHACHA())
        try setSessions()
        SSL_CTX_set_alpn_select_cb(pointer, selectApplicationProtocol, nil)
        try TLSContextSetup.loadCertificate(
            pointer, chainPath: configuration.certificateChainPath, keyPath: configuration.privateKeyPath)
        try setClientCertificates(configuration)
    }

    deinit {
        SSL_CTX_free(pointer)
    }
}

// MARK: - Set-up

extension TLSContext {
    private func setSessions() throws(TLSError) {
        let name: [UInt8] = Array("gohub".utf8)
        guard
            // Without one, a client that presented a certificate could not resume.
            SSL_CTX_set_session_id_context(pointer, name, UInt32(name.count)) == 1,
            // A client holds one WebSocket: a second ticket would waste bytes and work.
            SSL_CTX_set_num_tickets(pointer, 1) == 1
        else {
            throw TLSError.queued("Cannot set up TLS sessions")
        }
    }

    private func setClientCertificates(_ configuration: TLSConfiguration) throws(TLSError) {
        let mode: Int32
        switch configuration.clientCertificates {
        case .none: return SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
        case .optional: mode = SSL_VERIFY_PEER
        case .required: mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        }
        guard let path = configuration.clientCAPath else {
            throw TLSError(
                .invalidConfiguration,
                "Client certificates are \(configuration.clientCertificates.rawValue), but no file of client "
                    + "authorities is given."
            )
        }
        try TLSContextSetup.trustAuthorities(pointer, path: path, namesAuthorities: true)
        SSL_CTX_set_verify(pointer, mode, nil)
        SSL_CTX_set_verify_depth(pointer, TLSContextSetup.chainDepthMax)
    }
}

/// Called by OpenSSL when a ClientHello offers ALPN. `offered` is the client's list: each name after a byte with its
/// length (RFC 7301 section 3.1). An answer may point into it.
private func selectApplicationProtocol(
    _ ssl: OpaquePointer?,
    _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ selectedCount: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafePointer<UInt8>?,
    _ offeredCount: UInt32,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    let list = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    var start = 0
    while start < list.count {
        let end = start + 1 + Int(list[start])
        guard end <= list.count else { break }
        let name = UnsafeBufferPointer(rebasing: list[(start + 1)..<end])
        if name.elementsEqual("http/1.1".utf8) {
            selected?.pointee = name.baseAddress
            selectedCount?.pointee = UInt8(name.count)
            return SSL_TLSEXT_ERR_OK
        }
        start = end
    }
    // Becomes the alert no_application_protocol.
    return SSL_TLSEXT_ERR_ALERT_FATAL
}
