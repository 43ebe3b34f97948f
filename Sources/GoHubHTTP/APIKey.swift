internal import Synchronization

/// The key of the server API, which the application's own servers show as `Authorization: Bearer`.
///
/// It can be replaced while it is in use.
public final class APIKey: Sendable {
    /// Shorter ones can be guessed.
    public static let bytesMin = 16

    private let key: Mutex<[UInt8]>

    /// - Returns: `nil` for a key of fewer than `bytesMin` bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.bytesMin else { return nil }
        key = Mutex(bytes)
    }

    /// Takes another key. One of fewer than `bytesMin` bytes leaves the key as it was.
    ///
    /// - Returns: whether it was replaced.
    @discardableResult
    public func replace(with bytes: [UInt8]) -> Bool {
        guard bytes.count >= Self.bytesMin else { return false }
        key.withLock { $0 = bytes }
        return true
    }

    /// Whether a request presented the key. The time depends only on the presented text, not on how much of it is
    /// correct.
    package func matches(_ shown: some StringProtocol) -> Bool {
        let key = key.withLock { $0 }
        var difference = UInt8(key.count == shown.utf8.count ? 0 : 1)
        for (index, byte) in shown.utf8.enumerated() {
            difference |= byte ^ key[index % key.count]
        }
        return difference == 0
    }
}
