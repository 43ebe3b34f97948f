#if Tokens

import Crypto
import CryptoExtras

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Public keys in PEM (RFC 7468 section 13).
///
/// swift-crypto reads the keys. It allows no text around a block, no indentation, and only lines of 64 characters, but
/// files have all of these. So blocks are found here, and brought into its form.
enum PEMKeys {
    /// The largest text that is read: about eighty 4096-bit keys.
    static let bytesMax = 64 * 1024

    /// - Parameters:
    ///   - algorithm: the required algorithm of all keys; `nil` derives it from the key type.
    ///   - rsa: the algorithm of RSA keys in that case.
    static func read(
        _ text: String, algorithm: JWTVerifier.Algorithm?, rsa: JWTVerifier.Algorithm.RSAScheme,
        label: VerificationKey.Label
    ) throws(JWTVerifier.ConfigurationError) -> [VerificationKey] {
        guard text.utf8.count <= bytesMax else {
            throw JWTVerifier.ConfigurationError(.malformedKey, "The PEM text is larger than \(bytesMax) bytes.")
        }
        let blocks = try blocks(of: text)
        guard !blocks.isEmpty else {
            throw JWTVerifier.ConfigurationError(
                .noKeys, "The PEM text contains no key: it needs a `-----BEGIN PUBLIC KEY-----` block.")
        }
        var keys: [VerificationKey] = []
        for block in blocks {
            keys.append(try read(block, algorithm: algorithm, rsa: rsa, label: label))
        }
        return keys
    }

    private struct Block {
        let label: String
        let der: Data
        /// The block in the form that the library reads: without indentation, in lines of 64 characters.
        let text: String

        init(label: String, body: String) throws(JWTVerifier.ConfigurationError) {
            guard let der = Data(base64Encoded: body) else {
                throw JWTVerifier.ConfigurationError(.malformedKey, "A PEM block is not base64.")
            }
            self.label = label
            self.der = der
            var lines = ["-----BEGIN \(label)-----"]
            var rest = body[...]
            while !rest.isEmpty {
                lines.append(String(rest.prefix(64)))
                rest = rest.dropFirst(64)
            }
            text = (lines + ["-----END \(label)-----"]).joined(separator: "\n")
        }

        /// An RSA key of at least 1024 bits. The library also reads RSASSA-PSS keys, whose parameters it drops; such a
        /// key is written back in another form, and is not taken.
        func rsa() -> _RSA.Signing.PublicKey? {
            guard let key = try? _RSA.Signing.PublicKey(unsafePEMRepresentation: text) else { return nil }
            return [key.derRepresentation, key.pkcs1DERRepresentation].contains(der) ? key : nil
        }
    }

    private static func blocks(of text: String) throws(JWTVerifier.ConfigurationError) -> [Block] {
        var blocks: [Block] = []
        var open: (label: String, body: String)?
        for line in text.split(whereSeparator: \.isNewline) {
            let line = line.trimmingPrefix(while: \.isWhitespace)
            if let label = line.pemLabel("BEGIN"), open == nil {
                open = (label, "")
            } else if let label = line.pemLabel("END"), let block = open, block.label == label {
                blocks.append(try Block(label: block.label, body: block.body))
                open = nil
            } else if open != nil {
                open?.body += line.filter { !$0.isWhitespace }
            }
        }
        guard open == nil else {
            throw JWTVerifier.ConfigurationError(
                .malformedKey, "A PEM block has no end line. Check that the file is complete.")
        }
        return blocks
    }

    private static func read(
        _ block: Block, algorithm: JWTVerifier.Algorithm?, rsa: JWTVerifier.Algorithm.RSAScheme,
        label: VerificationKey.Label
    ) throws(JWTVerifier.ConfigurationError) -> VerificationKey {
        guard block.label == "PUBLIC KEY" || block.label == "RSA PUBLIC KEY" else {
            throw unexpectedBlock(block)
        }
        let found: VerificationKey
        if let key = block.rsa() {
            guard let scheme = algorithm.map({ JWTVerifier.Algorithm.RSAScheme(rawValue: $0.rawValue) }) ?? rsa else {
                throw mismatch(algorithm, "an RSA key")
            }
            guard key.keySizeInBits >= 2048 else {
                throw JWTVerifier.ConfigurationError(
                    .weakKey, "An RSA key in PEM is smaller than 2048 bits. Use a larger one.")
            }
            found = try .rsa(key, scheme: scheme, label: label)
        } else if let key = try? P256.Signing.PublicKey(pemRepresentation: block.text) {
            found = try .ecdsa(p256: key, label: label)
        } else if let key = try? P384.Signing.PublicKey(pemRepresentation: block.text) {
            found = try .ecdsa(p384: key, label: label)
        } else if let key = try? Curve25519.Signing.PublicKey(pemRepresentation: block.text) {
            found = try .ed25519(key, label: label)
        } else {
            throw JWTVerifier.ConfigurationError(
                .unsupportedKey,
                "A public key in PEM is damaged or not of the types RSA, P-256, P-384 and Ed25519.")
        }
        guard algorithm.map({ $0 == found.algorithm }) ?? true else {
            throw mismatch(algorithm, "a key for \(found.algorithm.rawValue)")
        }
        return found
    }

    private static func mismatch(_ algorithm: JWTVerifier.Algorithm?, _ found: String) -> JWTVerifier.ConfigurationError
    {
        JWTVerifier.ConfigurationError(
            .unsupportedKey,
            "The configuration asks for \(algorithm?.rawValue ?? "no algorithm"), but the PEM text contains \(found).")
    }

    private static func unexpectedBlock(_ block: Block) -> JWTVerifier.ConfigurationError {
        if block.label.hasSuffix("PRIVATE KEY") {
            return JWTVerifier.ConfigurationError(
                .privateKey,
                "The PEM text holds a private key, and verifying needs only its public half: "
                    + "`openssl pkey -in private.pem -pubout`.")
        }
        if block.label == "CERTIFICATE" {
            return JWTVerifier.ConfigurationError(
                .unsupportedKey,
                "The PEM text holds a certificate; take the key out of it: "
                    + "`openssl x509 -in certificate.pem -noout -pubkey`.")
        }
        return JWTVerifier.ConfigurationError(
            .unsupportedKey, "The PEM text contains something other than a public key.")
    }
}

extension Substring {
    /// The label of a `-----BEGIN label-----` or `-----END label-----` line.
    fileprivate func pemLabel(_ keyword: String) -> String? {
        let start = "-----\(keyword) "
        let line = String(self.prefix(while: { !$0.isNewline }))
        guard line.hasPrefix(start) else { return nil }
        let rest = line.dropFirst(start.count)
        guard let end = rest.firstRange(of: "-----") else { return nil }
        return String(rest[..<end.lowerBound])
    }
}

#endif
