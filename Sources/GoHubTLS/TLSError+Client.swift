internal import CGoHubOpenSSL

// What failures mean to a client, and what its operator can do about them.

extension TLSError {
    /// A client's view of a failed connection; `nil` if a server would see it alike.
    ///
    /// - Parameter error: OpenSSL's, of its TLS layer.
    static func ofClient(_ ssl: OpaquePointer, error: UInt) -> TLSError? {
        let reason = ERR_GET_REASON(error)
        switch reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            return ofServerCertificate(Int32(truncatingIfNeeded: SSL_get_verify_result(ssl)), of: ssl)
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNKNOWN_PROTOCOL, SSL_R_RECORD_LENGTH_MISMATCH,
            SSL_R_PACKET_LENGTH_TOO_LONG:
            // With a cipher the server has said hello. OpenSSL counts a failed connection as in the handshake.
            guard SSL_get_current_cipher(ssl) == nil else { return nil }
            return TLSError(
                .notTLS, "The server does not speak TLS on this port. Use its port for TLS, or connect without TLS.")
        case SSL_AD_REASON_OFFSET...(SSL_AD_REASON_OFFSET + 255):
            return ofAlert(error, of: ssl)
        default:
            return nil
        }
    }

    private static func ofServerCertificate(_ result: Int32, of ssl: OpaquePointer) -> TLSError {
        switch result {
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return TLSError(
                .serverNameMismatch,
                "The server's certificate is not valid for \(TLSServerName.required(on: ssl)). Connect to a name or "
                    + "address that it is valid for, or set the server name to one."
            )
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return TLSError(
                .serverCertificateExpired, "The server's certificate or its authority's has expired. Renew it.")
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return TLSError(
                .serverCertificateNotYetValid,
                "The server's certificate or its authority's is not valid yet. Check the clock of this machine."
            )
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_SIGNATURE_FAILURE, X509_V_ERR_CERT_UNTRUSTED:
            return TLSError(
                .serverCertificateUntrusted,
                "No trusted authority has signed the server's certificate: \(verificationText(Int(result))). "
                    + "Set the file of authorities to that of the authority which signed it."
            )
        default:
            return TLSError(
                .serverCertificateRejected, "The server's certificate was rejected: \(verificationText(Int(result))).")
        }
    }

    private static func ofAlert(_ error: UInt, of ssl: OpaquePointer) -> TLSError? {
        switch ERR_GET_REASON(error) {
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
            return TLSError(
                .clientCertificateMissing, "The server requires a client certificate. Set one, and its private key.")
        case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
            return TLSError(
                .alertReceived,
                "The server refused the TLS handshake. It may require a client certificate that it trusts, or have no "
                    + "TLS version or cipher suite in common with GoHub."
            )
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
            SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
            SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_TLSV1_ALERT_ACCESS_DENIED:
            // Without a certificate of ours it can't be about one.
            guard SSL_get_certificate(ssl) != nil else { return nil }
            return TLSError(
                .clientCertificateRejected,
                "The server rejected the client certificate: \(reasonText(error)). Set one that the server accepts.")
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return TLSError(.unsupportedVersion, "The server speaks neither TLS 1.2 nor TLS 1.3.")
        default:
            return nil
        }
    }
}
