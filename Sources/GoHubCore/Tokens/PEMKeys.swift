#if Tokens

import Crypto
import CryptoExtras

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Public keys in PEM (RFC 7468 section 13).
enum PEMKeys {
    /// The largest text that is read: about eighty 4096-bit keys.
    static let bytesMax = 64 * 1024

    /// - Parameters:
    ///   - algorithm: the required algorithm of all keys; `nil` derives it from the key type.
    ///   - rsa: the algorithm of RSA keys in that case.
    static func read(
        _ text: String, algorithm: TokenAlgorithm?, rsa: RSAScheme, label: VerificationKey.Label
    ) throws(JWTConfigurationError) -> [VerificationKey] {
        guard text.utf8.count <= bytesMax else {
            throw JWTConfigurationError(.malformedKey, "The PEM text is larger than \(bytesMax) bytes.")
        }
        let blocks = try blocks(of: text)
        guard !blocks.isEmpty else {
            throw JWTConfigurationError(
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

        init(label: String, body: String) throws(JWTConfigurationError) {
            guard let der = Data(base64Encoded: body) else {
                throw JWTConfigurationError(.malformedKey, "A PEM block is not base64.")
            }
            self.label = label
            self.der = der
        }

        /// The algorithm identifier follows the outer length, which takes one to three bytes.
        var isRSA: Bool {
            label == "RSA PUBLIC KEY" || (2...4).contains { der.dropFirst($0).starts(with: Prefix.rsaAlgorithm) }
        }
    }

    private static func blocks(of text: String) throws(JWTConfigurationError) -> [Block] {
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
            throw JWTConfigurationError(.malformedKey, "A PEM block has no end line. Check that the file is complete.")
        }
        return blocks
    }

    /// The DER prefixes of a SubjectPublicKeyInfo (RFC 5480, RFC 8410). DER has one encoding only, so everything before
    /// the key itself is constant.
    private enum Prefix {
        static let p256: [UInt8] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
            0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
        ]
        static let p384: [UInt8] = [
            0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01,
            0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04,
        ]
        static let ed25519: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]
        /// The algorithm identifier alone: the length before it depends on the modulus.
        static let rsaAlgorithm: [UInt8] = [
            0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
        ]
    }

    private static func read(
        _ block: Block, algorithm: TokenAlgorithm?, rsa: RSAScheme, label: VerificationKey.Label
    ) throws(JWTConfigurationError) -> VerificationKey {
        guard block.label == "PUBLIC KEY" || block.label == "RSA PUBLIC KEY" else {
            throw unexpectedBlock(block)
        }
        let found: VerificationKey
        if block.isRSA {
            guard let scheme = algorithm.map({ RSAScheme(rawValue: $0.rawValue) }) ?? rsa else {
                throw mismatch(algorithm, "an RSA key")
            }
            guard let key = try? _RSA.Signing.PublicKey(derRepresentation: block.der) else {
                throw JWTConfigurationError(
                    .weakKey, "An RSA key in PEM is unusable: it is damaged or smaller than 2048 bits.")
            }
            found = try .rsa(key, scheme: scheme, label: label)
        } else if block.der.starts(with: Prefix.p256),
            let key = try? P256.Signing.PublicKey(derRepresentation: block.der)
        {
            found = try .ecdsa(p256: key, label: label)
        } else if block.der.starts(with: Prefix.p384),
            let key = try? P384.Signing.PublicKey(derRepresentation: block.der)
        {
            found = try .ecdsa(p384: key, label: label)
        } else if block.der.starts(with: Prefix.ed25519),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: block.der.dropFirst(Prefix.ed25519.count))
        {
            found = try .ed25519(key, label: label)
        } else {
            throw JWTConfigurationError(
                .unsupportedKey,
                "A public key in PEM is damaged or not of the types RSA, P-256, P-384 and Ed25519.")
        }
        guard algorithm.map({ $0 == found.algorithm }) ?? true else {
            throw mismatch(algorithm, "a key for \(found.algorithm.rawValue)")
        }
        return found
    }

    private static func mismatch(_ algorithm: TokenAlgorithm?, _ found: String) -> JWTConfigurationError {
        JWTConfigurationError(
            .unsupportedKey,
            "The configuration asks for \(algorithm?.rawValue ?? "no algorithm"), but the PEM text contains \(found).")
    }

    private static func unexpectedBlock(_ block: Block) -> JWTConfigurationError {
        if block.label.hasSuffix("PRIVATE KEY") {
            return JWTConfigurationError(
                .privateKey,
                "The PEM text holds a private key, and verifying needs only its public half: "
                    + "`openssl pkey -in private.pem -pubout`.")
        }
        if block.label == "CERTIFICATE" {
            return JWTConfigurationError(
                .unsupportedKey,
                "The PEM text holds a certificate; take the key out of it: "
                    + "`openssl x509 -in certificate.pem -noout -pubkey`.")
        }
        return JWTConfigurationError(.unsupportedKey, "The PEM text contains something other than a public key.")
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
