internal import CGoHubOpenSSL

/// The client side of TLS, shared by the connections to all servers of a service: authorities, certificate and suites,
/// checked once and immutable afterwards. A renewed certificate needs a new context.
///
/// A server's certificate is always verified. Versions, suites and groups are those of `TLSContext`: 1.2 and 1.3,
/// ephemeral keys and authenticated ciphers only, no renegotiation, no compression, no early data. No ALPN is offered,
/// and no session is resumed.
package final class TLSClientContext: @unchecked Sendable {
    // Unchecked is right for the reasons of `TLSContext`.

    /// Valid for the life of this object; each `SSL` made from it holds its own reference.
    let pointer: OpaquePointer

    /// What the certificates must be valid for, if it isn't the host that was dialled.
    let serverName: TLSServerName?

    /// Reads and checks the files.
    ///
    /// - Throws: `TLSError` that names the file and the problem.
    package init(_ settings: TLSClientSettings) throws(TLSError) {
        if let name = settings.serverName {
            serverName = try TLSServerName(name)
        } else {
            serverName = nil
        }
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(TLS_client_method()) else {
            throw TLSError.queued("Cannot create a TLS context")
        }
        self.pointer = pointer
        try TLSContextSetup.setProtocol(pointer, minimumVersion: .tls12)
        SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        SSL_CTX_set_verify_depth(pointer, TLSContextSetup.chainDepthMax)
        try setAuthorities(path: settings.authoritiesPath)
        try setCertificate(chainPath: settings.certificateChainPath, keyPath: settings.privateKeyPath)
    }

    deinit {
        SSL_CTX_free(pointer)
    }

    private func setAuthorities(path: String?) throws(TLSError) {
        if let path {
            return try TLSContextSetup.trustAuthorities(pointer, path: path, namesAuthorities: false)
        }
        // Missing files are no failure: no server is trusted then, which its connection reports.
        guard SSL_CTX_set_default_verify_paths(pointer) == 1 else {
            throw TLSError.queued("The authorities of this system cannot be read")
        }
        ERR_clear_error()
    }

    private func setCertificate(chainPath: String?, keyPath: String?) throws(TLSError) {
        switch (chainPath, keyPath) {
        case (nil, nil): break
        case (let chainPath?, let keyPath?):
            try TLSContextSetup.loadCertificate(pointer, chainPath: chainPath, keyPath: keyPath)
        case (_?, nil):
            throw TLSError(.invalidConfiguration, "A client certificate is set, but not its private key. Set both.")
        case (nil, _?):
            throw TLSError(.invalidConfiguration, "A private key is set, but not its client certificate. Set both.")
        }
    }
}
