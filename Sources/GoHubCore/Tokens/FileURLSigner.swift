internal import Crypto

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// Signs links to files that need no token for a while: for the `src` of an image, which can send no header.
///
/// A signature is HMAC-SHA256 (RFC 2104) over the tenant, the file and the second in which it ends. Whoever has the link can
/// read the file until then, as could whoever is handed the file itself.
public struct FileURLSigner: Sendable {
    /// What a link carries, as its query.
    public struct Signature: Hashable, Sendable {
        /// Seconds since 1970 UTC.
        public let expiresAt: Int64
        /// 43 characters of base64url.
        public let code: String

        public init(expiresAt: Int64, code: String) {
            self.expiresAt = expiresAt
            self.code = code
        }
    }

    /// Shorter keys can be guessed.
    public static let keyBytesMin = 32

    private let key: SymmetricKey

    /// - Parameter key: at least `keyBytesMin` bytes; `nil` otherwise. Nodes that share files share it.
    public init?(key: [UInt8]) {
        guard key.count >= Self.keyBytesMin else { return nil }
        self.key = SymmetricKey(data: key)
    }

    /// With a key of this process' own: its links end with it.
    public init() {
        key = SymmetricKey(size: .bits256)
    }

    public func sign(_ file: FileID, in tenant: TenantID, expiresAt: Int64) -> Signature {
        let code = HMAC<SHA256>.authenticationCode(for: Self.message(file, tenant, expiresAt), using: key)
        return Signature(expiresAt: expiresAt, code: Base64URL.encode(code))
    }

    /// Whether a link is one of ours and not over. How long it takes doesn't depend on how much of the code is right.
    public func isValid(_ signature: Signature, of file: FileID, in tenant: TenantID, now: WallTime) -> Bool {
        guard let code = Base64URL.decode(signature.code.utf8), code.count == SHA256.byteCount else { return false }
        // The library's comparison takes the same time for any code of the right length.
        let message = Self.message(file, tenant, signature.expiresAt)
        guard HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: message, using: key) else { return false }
        return now.milliseconds / 1000 < signature.expiresAt
    }

    /// None of the three can hold a line end, so that no two are the same text. The first line keeps a key that is used for
    /// something else as well from signing links.
    private static func message(_ file: FileID, _ tenant: TenantID, _ expiresAt: Int64) -> [UInt8] {
        Array("gohub file url v1\n\(tenant.value)\n\(file.value)\n\(expiresAt)".utf8)
    }
}
