#if Tokens

internal import Crypto

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// Signs temporary links to files that need no token, for the `src` of an image, which can't send a header.
///
/// A signature is HMAC-SHA256 (RFC 2104) over the tenant, the file and the expiry in seconds. Until then, anyone with
/// the link can read the file, as could anyone who is given the file itself.
public struct FileURLSigner: Sendable {
    /// The query of a link.
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

    /// - Parameter key: at least `keyBytesMin` bytes; `nil` otherwise. Nodes that share files share the key.
    public init?(key: [UInt8]) {
        guard key.count >= Self.keyBytesMin else { return nil }
        self.key = SymmetricKey(data: key)
    }

    /// Creates a key for this process. Its links are valid until the process ends.
    public init() {
        key = SymmetricKey(size: .bits256)
    }

    /// - Parameters:
    ///   - file: the file to link to.
    ///   - tenant: the tenant of the file's room.
    ///   - expiresAt: the time at which the link ends, in seconds since 1970 UTC.
    public func sign(_ file: FileID, in tenant: TenantID, expiresAt: Int64) -> Signature {
        let code = HMAC<SHA256>.authenticationCode(for: Self.message(file, tenant, expiresAt), using: key)
        return Signature(expiresAt: expiresAt, code: Base64URL.encode(code))
    }

    /// Whether a link was signed with this key and has not expired. Takes the same time however much of the code is
    /// correct.
    public func isValid(_ signature: Signature, of file: FileID, in tenant: TenantID, now: WallTime) -> Bool {
        guard let code = Base64URL.decode(signature.code.utf8), code.count == SHA256.byteCount else { return false }
        // The library's comparison takes constant time for any code of the right length.
        let message = Self.message(file, tenant, signature.expiresAt)
        guard HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: message, using: key) else { return false }
        return now.milliseconds / 1000 < signature.expiresAt
    }

    /// None of the three fields can contain a newline, so the encoding is unambiguous. The first line prevents a key
    /// that is also used elsewhere from signing links.
    private static func message(_ file: FileID, _ tenant: TenantID, _ expiresAt: Int64) -> [UInt8] {
        Array("gohub file url v1\n\(tenant.value)\n\(file.value)\n\(expiresAt)".utf8)
    }
}

#endif
