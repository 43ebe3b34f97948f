internal import Synchronization

/// The key of the server API. Can be read again while it is in use.
final class APIKey: Sendable {
    /// Shorter ones can be guessed.
    static let bytesMin = 16

    private let source: SecretSource
    private let key: Mutex<[UInt8]>

    init(_ source: SecretSource) throws(ConfigurationError) {
        self.source = source
        key = Mutex(try source.read(bytesMin: Self.bytesMin))
    }

    /// When the file isn't good, the key stays as it was.
    func reload() throws(ConfigurationError) {
        let fresh = try source.read(bytesMin: Self.bytesMin)
        key.withLock { $0 = fresh }
    }

    /// Whether a request has shown the key. How long it takes depends on what was shown only, not on how much of it
    /// is right.
    func matches(_ shown: some StringProtocol) -> Bool {
        let key = key.withLock { $0 }
        var difference = UInt8(key.count == shown.utf8.count ? 0 : 1)
        for (index, byte) in shown.utf8.enumerated() {
            difference |= byte ^ key[index % key.count]
        }
        return difference == 0
    }
}
