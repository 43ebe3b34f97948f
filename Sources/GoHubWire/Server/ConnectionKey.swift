internal import GoHubCore

/// A connection's serial as a key. Serials are consecutive numbers of the loop, so they need no hashing that withstands
/// chosen values.
struct ConnectionKey: Hashable {
    private let serial: UInt64

    init(_ serial: UInt64) {
        self.serial = serial
    }

    func hash(into hasher: inout Hasher) { hasher.combine(serial) }

    /// Called by dictionaries.
    func _rawHashValue(seed: Int) -> Int { Int(truncatingIfNeeded: serial).mixed(with: seed) }
}
