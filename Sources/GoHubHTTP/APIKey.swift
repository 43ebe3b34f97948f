internal import Synchronization

/// The key of the server API, which the application's own servers send as `Authorization: Bearer` (RFC 6750, section
/// 2.1).
///
/// It can be replaced while it is in use.
public final class APIKey: Sendable {
    /// The minimum bytes of a key: shorter ones can be guessed.
    public static let bytesMin = 16

    private let key: Mutex<[UInt8]>

    /// - Returns: `nil` for a key of fewer than `bytesMin` bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.bytesMin else { return nil }
        key = Mutex(bytes)
    }

    /// Replaces the key. A key of fewer than `bytesMin` bytes is ignored.
    ///
    /// - Returns: whether the key was replaced.
    @discardableResult
    public func replace(with bytes: [UInt8]) -> Bool {
        guard bytes.count >= Self.bytesMin else { return false }
        key.withLock { $0 = bytes }
        return true
    }

    /// Whether a request sent the key. The time depends only on the sent text, not on how much of it is correct.
    package func matches(_ shown: some StringProtocol) -> Bool {
        let key = key.withLock { $0 }
        var difference = UInt8(key.count == shown.utf8.count ? 0 : 1)
        for (index, byte) in shown.utf8.enumerated() {
            difference |= byte ^ key[index % key.count]
        }
        return difference == 0
    }
}
