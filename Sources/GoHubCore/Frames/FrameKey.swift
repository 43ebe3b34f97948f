#if Tokens

internal import Crypto

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A key that the nodes of a cluster share, for the MACs of frames: HMAC-SHA-256 (RFC 2104). Never prints it.
package struct FrameKey: Sendable {
    /// Shorter keys can be guessed.
    package static let bytesMin = 32

    private let key: SymmetricKey

    /// - Parameter bytes: at least `bytesMin` bytes; `nil` otherwise.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count >= Self.bytesMin else { return nil }
        key = SymmetricKey(data: Array(bytes))
    }

    /// Computes MACs with this key.
    package var authenticator: FrameAuthenticator {
        { [key] first, second in
            var hash = HMAC<SHA256>(key: key)
            hash.update(data: first)
            hash.update(data: second)
            guard let mac = hash.finalize().withUnsafeBytes({ FrameMAC($0) }) else {
                preconditionFailure("a SHA-256 hash has 32 bytes")
            }
            return mac
        }
    }
}

#endif
