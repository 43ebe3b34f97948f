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

    /// The longest chain of a client's certificate, counted in intermediates.
    private static let clientChainDepthMax: Int32 = 5

    private static let suitesTLS12 = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ].joined(separator: ":")

    private static let suitesTLS13 = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ].joined(separator: ":")

    private static let groups = "X25519:P-256:P-384"

    /// Reads and checks the files.
    ///
    /// - Throws: `TLSError` that names the file and the problem.
    package init(_ configuration: TLSConfiguration) throws(TLSError) {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(TLS_server_method()) else {
            throw TLSError.queued("Cannot create a TLS context")
        }
        self.pointer = pointer
        try setProtocol(minimumVersion: configuration.minimumVersion)
        try setSessions()
        SSL_CTX_set_alpn_select_cb(pointer, selectApplicationProtocol, nil)
        try loadCertificate(chainPath: configuration.certificateChainPath, keyPath: configuration.privateKeyPath)
        try setClientCertificates(configuration)
    }

    deinit {
        SSL_CTX_free(pointer)
    }
}

// MARK: - Set-up

extension TLSContext {
    private func setProtocol(minimumVersion: TLSVersion) throws(TLSError) {
        let minimum = minimumVersion == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
        guard
            gohub_SSL_CTX_set_min_proto_version(pointer, minimum) == 1,
            gohub_SSL_CTX_set_max_proto_version(pointer, TLS1_3_VERSION) == 1,
            SSL_CTX_set_cipher_list(pointer, Self.suitesTLS12) == 1,
            SSL_CTX_set_ciphersuites(pointer, Self.suitesTLS13) == 1,
            gohub_SSL_CTX_set1_groups_list(pointer, Self.groups) == 1
        else {
            throw TLSError.queued("OpenSSL does not offer the versions, suites or groups that GoHub needs")
        }

        _ = SSL_CTX_set_options(
            pointer,
            gohub_SSL_OP_NO_COMPRESSION() | gohub_SSL_OP_NO_RENEGOTIATION()
                | gohub_SSL_OP_CIPHER_SERVER_PREFERENCE() | gohub_SSL_OP_PRIORITIZE_CHACHA()
        )

        // RELEASE_BUFFERS frees 34 KiB on each idle connection. NO_AUTO_CHAIN: the chain is the file's, without
        // additions from the client authorities.
        _ = gohub_SSL_CTX_set_mode(
            pointer,
            Int(
                SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS
                    | SSL_MODE_NO_AUTO_CHAIN
            )
        )
        // Without AUTO_RETRY a read returns after each key update instead of serving a flood of them while the loop
        // waits: `TLSEngine.read` counts them.
        _ = gohub_SSL_CTX_clear_mode(pointer, Int(SSL_MODE_AUTO_RETRY))
    }

    private func setSessions() throws(TLSError) {
        _ = gohub_SSL_CTX_set_session_cache_mode(pointer, Int(SSL_SESS_CACHE_OFF))
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

    private func loadCertificate(chainPath: String, keyPath: String) throws(TLSError) {
        let chain = try PEMFile(path: chainPath)
        try chain.forEachCertificate { (index, certificate) throws(TLSError) in
            try Self.checkDates(of: certificate, index: index, path: chainPath)
            let isAccepted =
                index == 0
                ? SSL_CTX_use_certificate(pointer, certificate)
                : gohub_SSL_CTX_add1_chain_cert(pointer, certificate)
            guard isAccepted == 1 else {
                throw TLSError.queued("Certificate \(index + 1) in \(chainPath) is unusable", as: .unusableCertificate)
            }
        }

        let keyFile = try PEMFile(path: keyPath)
        let key = try keyFile.readPrivateKey()
        defer { EVP_PKEY_free(key) }
        // Checked first, because SSL_CTX_use_PrivateKey reports a mismatch like a weak key.
        guard
            let certificate = SSL_CTX_get0_certificate(pointer),
            X509_check_private_key(certificate, key) == 1
        else {
            ERR_clear_error()
            throw TLSError(
                .keyMismatch,
                "The private key in \(keyPath) does not belong to the first certificate in \(chainPath)."
            )
        }
        guard SSL_CTX_use_PrivateKey(pointer, key) == 1 else {
            throw TLSError.queued("The private key in \(keyPath) is unusable", as: .unusableCertificate)
        }
    }

    /// Prevents that a certificate refused by every client replaces a valid one.
    private static func checkDates(of certificate: OpaquePointer, index: Int, path: String) throws(TLSError) {
        // Negative: the date is in the past; positive: in the future; zero: it is not a date.
        guard X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 else {
            throw TLSError(.certificateExpired, "Certificate \(index + 1) in \(path) has expired. Renew it.")
        }
        guard X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 else {
            throw TLSError(
                .certificateNotYetValid,
                "Certificate \(index + 1) in \(path) is not valid yet. Check the clock of this machine."
            )
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
        let store = SSL_CTX_get_cert_store(pointer)
        let authorities = try PEMFile(path: path)
        try authorities.forEachCertificate { (index, certificate) throws(TLSError) in
            // Both copy what they need. The list of names tells a client which of its certificates to present.
            guard X509_STORE_add_cert(store, certificate) == 1, SSL_CTX_add_client_CA(pointer, certificate) == 1
            else {
                throw TLSError.queued("Authority \(index + 1) in \(path) is unusable", as: .unusableCertificate)
            }
        }
        SSL_CTX_set_verify(pointer, mode, nil)
        SSL_CTX_set_verify_depth(pointer, Self.clientChainDepthMax)
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
