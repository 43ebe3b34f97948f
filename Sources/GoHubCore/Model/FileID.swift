/// The id of an upload and later its file: 128 random bits as 22 characters of base64url.
///
/// An id can't be guessed, but it is no secret and grants nothing: the room decides who may read a file.
public struct FileID: Hashable, Sendable, CustomStringConvertible {
    /// 22 characters of canonical base64url (RFC 4648, section 5), without padding.
    public let value: String

    private static let bytes = 16

    /// - Parameter value: 22 characters of canonical base64url; `nil` otherwise.
    public init?(_ value: String) {
        guard value.utf8.count == 22, Base64URL.decode(value.utf8)?.count == Self.bytes else { return nil }
        self.value = value
    }

    private init(bytes: [UInt8]) {
        value = Base64URL.encode(bytes)
    }

    /// A unique random id.
    public static func random() -> FileID {
        // The system's generator is seeded by the kernel and unpredictable.
        var generator = SystemRandomNumberGenerator()
        return FileID(bytes: (0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    public var description: String { value }
}
