internal import CGoHubOpenSSL
internal import Glibc

/// What a server's certificate must be valid for: a DNS name or an IP address.
struct TLSServerName: Sendable, Hashable {
    private enum Kind: Hashable {
        case name(String)
        /// 4 or 16 bytes.
        case address([UInt8])
    }

    /// RFC 1035, section 2.3.4, as text.
    private static let nameBytesMax = 253
    private static let labelBytesMax = 63

    private let kind: Kind

    /// - Parameter host: a name, with or without the dot of the root at its end, or an address without brackets.
    /// - Throws: `TLSError` with `.invalidConfiguration`. It doesn't repeat the text, which may be anything.
    init(_ host: String) throws(TLSError) {
        // Checked first: neither system call nor OpenSSL would see what follows a zero byte.
        guard !host.utf8.contains(0) else { throw Self.invalid }
        if let address = Self.address(host) {
            kind = .address(address)
        } else if let name = Self.name(host) {
            kind = .name(name)
        } else {
            throw Self.invalid
        }
    }

    /// Has OpenSSL verify the certificate for this name, and ask the server for it.
    ///
    /// - Returns: false if OpenSSL has no memory.
    func require(on ssl: OpaquePointer) -> Bool {
        // OpenSSL copies all of the arguments.
        switch kind {
        case .name(let name):
            // The subject is no source of names (RFC 9525, section 2).
            SSL_set_hostflags(
                ssl, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT) | UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            return SSL_set1_host(ssl, name) == 1 && gohub_SSL_set_tlsext_host_name(ssl, name) == 1
        case .address(let bytes):
            // No server_name extension, which is for names only (RFC 6066, section 3).
            return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), bytes, bytes.count) == 1
        }
    }

    /// The name or address that a connection's certificate is verified for, as text.
    static func required(on ssl: OpaquePointer) -> String {
        let parameters = SSL_get0_param(ssl)
        // Owned by the parameters.
        if let name = X509_VERIFY_PARAM_get0_host(parameters, 0) { return String(cString: name) }
        // Ours to free.
        guard let address = X509_VERIFY_PARAM_get1_ip_asc(parameters) else { return "the server" }
        defer { CRYPTO_free(address, nil, 0) }
        return String(cString: address)
    }
}

extension TLSServerName {
    private static let invalid = TLSError(
        .invalidConfiguration,
        "The server's name is neither a DNS name nor an IP address. "
            + "Write an address without brackets, and an international name in its ASCII form (xn--…).")

    private static func address(_ host: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            // Writes as many bytes as the family's addresses have.
            if inet_pton(family, host, &bytes) == 1 { return bytes }
        }
        return nil
    }

    /// Without an empty label: OpenSSL takes a name that begins with a dot for all names that end so.
    private static func name(_ host: String) -> String? {
        let name = host.utf8.last == UInt8(ascii: ".") ? host.dropLast() : host[...]
        guard name.utf8.count <= nameBytesMax else { return nil }
        let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard labels.allSatisfy({ (1...labelBytesMax).contains($0.count) && $0.allSatisfy(isLabelByte) }) else {
            return nil
        }
        return String(name)
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
