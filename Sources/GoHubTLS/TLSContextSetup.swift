internal import CGoHubOpenSSL

/// The set-up that contexts of servers and of clients have in common.
enum TLSContextSetup {
    /// The longest chain of a peer's certificate, counted in intermediates.
    static let chainDepthMax: Int32 = 5

    private static let suitesTLS12 = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ].joined(separator: ":")

    private static let suitesTLS13 = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ].joined(separator: ":")

    private static let groups = "X25519:P-256:P-384"

    static func setProtocol(_ context: OpaquePointer, minimumVersion: TLSVersion) throws(TLSError) {
        let minimum = minimumVersion == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
        guard
            gohub_SSL_CTX_set_min_proto_version(context, minimum) == 1,
            gohub_SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1,
            SSL_CTX_set_cipher_list(context, suitesTLS12) == 1,
            SSL_CTX_set_ciphersuites(context, suitesTLS13) == 1,
            gohub_SSL_CTX_set1_groups_list(context, groups) == 1
        else {
            throw TLSError.queued("OpenSSL does not offer the versions, suites or groups that GoHub needs")
        }

        _ = SSL_CTX_set_options(context, gohub_SSL_OP_NO_COMPRESSION() | gohub_SSL_OP_NO_RENEGOTIATION())

        // RELEASE_BUFFERS frees 34 KiB on each idle connection. NO_AUTO_CHAIN: the chain is the file's, without
        // additions from the authorities.
        _ = gohub_SSL_CTX_set_mode(
            context,
            Int(
                SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS
                    | SSL_MODE_NO_AUTO_CHAIN
            )
        )
        // Without AUTO_RETRY a read returns after each key update instead of serving a flood of them while the thread
        // waits: `TLSEngine.read` counts them.
        _ = gohub_SSL_CTX_clear_mode(context, Int(SSL_MODE_AUTO_RETRY))
        _ = gohub_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
    }

    /// Loads our own certificate with its chain and its key.
    static func loadCertificate(_ context: OpaquePointer, chainPath: String, keyPath: String) throws(TLSError) {
        let chain = try PEMFile(path: chainPath)
        try chain.forEachCertificate { (index, certificate) throws(TLSError) in
            try checkDates(of: certificate, index: index, path: chainPath)
            let isAccepted =
                index == 0
                ? SSL_CTX_use_certificate(context, certificate)
                : gohub_SSL_CTX_add1_chain_cert(context, certificate)
            guard isAccepted == 1 else {
                throw TLSError.queued("Certificate \(index + 1) in \(chainPath) is unusable", as: .unusableCertificate)
            }
        }

        let keyFile = try PEMFile(path: keyPath)
        let key = try keyFile.readPrivateKey()
        defer { EVP_PKEY_free(key) }
        // Checked first, because SSL_CTX_use_PrivateKey reports a mismatch like a weak key.
        guard
            let certificate = SSL_CTX_get0_certificate(context),
            X509_check_private_key(certificate, key) == 1
        else {
            ERR_clear_error()
            throw TLSError(
                .keyMismatch,
                "The private key in \(keyPath) does not belong to the first certificate in \(chainPath)."
            )
        }
        guard SSL_CTX_use_PrivateKey(context, key) == 1 else {
            throw TLSError.queued("The private key in \(keyPath) is unusable", as: .unusableCertificate)
        }
    }

    /// Prevents that a certificate refused by every peer replaces a valid one.
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

    /// Trusts the authorities in a file to sign peers' certificates.
    ///
    /// - Parameter namesAuthorities: whether the handshake tells the peer their names, from which it chooses one of its
    ///   certificates.
    static func trustAuthorities(
        _ context: OpaquePointer, path: String, namesAuthorities: Bool
    ) throws(TLSError) {
        let store = SSL_CTX_get_cert_store(context)
        let authorities = try PEMFile(path: path)
        try authorities.forEachCertificate { (index, certificate) throws(TLSError) in
            // Both copy what they need.
            guard
                X509_STORE_add_cert(store, certificate) == 1,
                !namesAuthorities || SSL_CTX_add_client_CA(context, certificate) == 1
            else {
                throw TLSError.queued("Authority \(index + 1) in \(path) is unusable", as: .unusableCertificate)
            }
        }
    }
}
