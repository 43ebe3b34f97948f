internal import CGoHubOpenSSL
internal import GoHubTLS

@testable import GoHubCore

extension FuzzTarget {
    /// A key set (JWKS), read as a published one and as the operator's own.
    static let keySet = FuzzTarget("keySet", bytesMax: 8192) { bytes in
        let published = keys { () throws(JWTVerifier.ConfigurationError) in
            try VerificationKeys(publishedJWKS: bytes)
        }
        let own = keys { () throws(JWTVerifier.ConfigurationError) in
            try VerificationKeys([.jwks(bytes, issuer: "issuer")])
        }
        try check(published)
        try check(own)
        if let published {
            try require(published.keys.allSatisfy { !$0.algorithm.isSymmetric }, "a published secret is no key")
            try require(own != nil, "what may be published may be the operator's own")
        }
        guard own != nil else { return }
        guard case .object = FoundationJSON(parsing: bytes) else {
            throw BrokenPromise(description: "broken: a key set is JSON, by Foundation too")
        }
    }

    /// A PEM file: public keys for tokens, and a server's certificates and private key.
    static let pem = FuzzTarget("pem", bytesMax: 8192) { bytes in
        let text = bytes.text
        try check(keys { () throws(JWTVerifier.ConfigurationError) in try VerificationKeys([.pem(text)]) })
        try ScratchFile.with(bytes) { path in
            try checkFile { () throws(TLSError) in
                try PEMFile(path: path).forEachCertificate { index, certificate in
                    _ = X509_get0_notAfter(certificate)
                }
            }
            try checkFile { () throws(TLSError) in EVP_PKEY_free(try PEMFile(path: path).readPrivateKey()) }
        }
    }

    private static func keys(
        _ read: () throws(JWTVerifier.ConfigurationError) -> VerificationKeys
    ) -> VerificationKeys? {
        do throws(JWTVerifier.ConfigurationError) { return try read() } catch { return nil }
    }

    private static func check(_ keys: VerificationKeys?) throws {
        guard let keys else { return }
        try require((1...VerificationKeys.keysMax).contains(keys.count), "a set has keys, and not too many")
        for key in keys.keys.prefix(4) {
            try require((key.id?.utf8.count ?? 0) <= CompactToken.keyIDBytesMax, "a key's id is within its bound")
            for count in [0, 1, 32, 64, 96, 256, 384, 512] {
                let signature = [UInt8](repeating: 1, count: count)
                try require(!key.isSignature(signature, of: [1, 2, 3]), "what nobody signed isn't signed")
            }
        }
    }

    /// Errors name the cause, and leave nothing in OpenSSL's error queue that the next call would misread.
    private static func checkFile(_ read: () throws(TLSError) -> Void) throws {
        do throws(TLSError) {
            try read()
        } catch {
            try require(error.description.contains(" "), "a refusal is a sentence")
        }
        try require(ERR_peek_error() == 0, "OpenSSL's error queue is empty")
    }
}
