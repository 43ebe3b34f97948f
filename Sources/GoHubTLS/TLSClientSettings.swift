/// The settings of TLS connections to a service: whom to trust, and who we are.
package struct TLSClientSettings: Sendable, Hashable {
    /// A PEM file with the authorities that may sign the servers' certificates; no others are trusted. `nil` trusts the
    /// authorities of this system.
    package var authoritiesPath: String?

    /// A PEM file with the client's certificate first, then the intermediates in order, without the root. With `nil` no
    /// certificate is presented.
    package var certificateChainPath: String?

    /// A PEM file with the private key of the client's certificate, without a passphrase. It may be the same file as
    /// the chain.
    package var privateKeyPath: String?

    /// The name or address that the servers' certificates must be valid for, in place of the host that was dialled.
    package var serverName: String?

    /// No file is read and nothing is checked before `TLSClientContext.init`.
    package init(
        authoritiesPath: String? = nil,
        certificateChainPath: String? = nil,
        privateKeyPath: String? = nil,
        serverName: String? = nil
    ) {
        self.authoritiesPath = authoritiesPath
        self.certificateChainPath = certificateChainPath
        self.privateKeyPath = privateKeyPath
        self.serverName = serverName
    }
}
