/// An upload, and the file that becomes of it: 128 random bits as 22 characters of base64url.
///
/// Nobody can guess one, but it is no secret and opens nothing: who may read a file is decided by its room.
public struct FileID: Hashable, Sendable, CustomStringConvertible {
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

    /// An id that is nobody else's.
    public static func random() -> FileID {
        // The system's generator, which is seeded by the kernel and can't be foreseen.
        var generator = SystemRandomNumberGenerator()
        return FileID(bytes: (0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    public var description: String { value }
}
