/// A TLS version that GoHub supports. Older ones are broken and are refused (RFC 8996).
public enum TLSVersion: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// RFC 5246.
    case tls12 = "1.2"
    /// RFC 8446.
    case tls13 = "1.3"

    public var description: String { "TLS \(rawValue)" }
}

/// The configuration of a TLS port: its certificate, its key, and the clients that it accepts.
///
/// Suites, groups and other cryptographic choices are deliberately not configurable: see `TLSContext` for the list.
public struct TLSConfiguration: Sendable, Hashable {
    /// Whether a client must present a certificate (mutual TLS).
    public enum ClientCertificates: String, Sendable, Hashable, CaseIterable {
        /// No certificate is requested.
        case none
        /// A certificate is requested. A client without one is accepted, a client with an invalid one is not.
        case optional
        /// A client without a valid certificate is refused in the handshake.
        case required
    }

    /// A PEM file: the server's certificate first, then the intermediates in order, without the root.
    public var certificateChainPath: String

    /// A PEM file with the private key of the first certificate, without a passphrase. It may be the same file as the
    /// chain.
    public var privateKeyPath: String

    /// A PEM file with the authorities that may sign client certificates. Required unless `clientCertificates` is
    /// `.none`.
    public var clientCAPath: String?

    /// Whether clients must present a certificate.
    public var clientCertificates: ClientCertificates

    /// The lowest version that a client may use.
    public var minimumVersion: TLSVersion

    /// No file is read and nothing is checked before `TLSReloader.init`.
    public init(
        certificateChainPath: String,
        privateKeyPath: String,
        clientCAPath: String? = nil,
        clientCertificates: ClientCertificates = .none,
        minimumVersion: TLSVersion = .tls12
    ) {
        self.certificateChainPath = certificateChainPath
        self.privateKeyPath = privateKeyPath
        self.clientCAPath = clientCAPath
        self.clientCertificates = clientCertificates
        self.minimumVersion = minimumVersion
    }
}
