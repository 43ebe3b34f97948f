internal import GoHubCore

/// A connection's serial as a key. Serials are the loop's own and one after the other, so they need no hashing that
/// withstands a chosen one.
struct ConnectionKey: Hashable {
    private let serial: UInt64

    init(_ serial: UInt64) {
        self.serial = serial
    }

    func hash(into hasher: inout Hasher) { hasher.combine(serial) }

    /// What dictionaries call.
    func _rawHashValue(seed: Int) -> Int { Int(truncatingIfNeeded: serial).mixed(with: seed) }
}
