/// A version of TLS that GoHub speaks. Older ones are broken and are refused (RFC 8996).
public enum TLSVersion: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// RFC 5246.
    case tls12 = "1.2"
    /// RFC 8446.
    case tls13 = "1.3"

    public var description: String { "TLS \(rawValue)" }
}

/// What a TLS port of GoHub serves: its certificate, its key, and whom it lets in.
///
/// Suites, groups and every other choice of cryptography are not configurable on purpose: see
/// `TLSContext` for the list.
public struct TLSConfiguration: Sendable, Hashable {
    /// Whether a client must show a certificate of its own (mutual TLS).
    public enum ClientCertificates: String, Sendable, Hashable, CaseIterable {
        /// None is asked for.
        case none
        /// One is asked for; a client without one is let in, a client with a bad one is not.
        case optional
        /// A client without a good one is refused in the handshake.
        case required
    }

    /// A PEM file: the server's certificate first, then the intermediates in order, without the root.
    public var certificateChainPath: String

    /// A PEM file with the private key of the first certificate, without a passphrase. It may be the same
    /// file as the chain.
    public var privateKeyPath: String

    /// A PEM file with the authorities that may sign client certificates. Needed unless
    /// `clientCertificates` is `.none`.
    public var clientCAPath: String?

    /// Whether clients must show a certificate.
    public var clientCertificates: ClientCertificates

    /// The oldest version a client may speak.
    public var minimumVersion: TLSVersion

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
