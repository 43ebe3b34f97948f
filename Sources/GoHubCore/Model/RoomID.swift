/// A room of a tenant: what the hub keys everything by.
///
/// One reference to both names and their hash, since a room is looked up and handed on several times for each of its
/// messages.
public struct RoomID: Hashable, Sendable {
    private final class Names: Sendable {
        let tenant: TenantID
        let name: RoomName
        /// Seeded anew in each process, as all of Swift's hashing, so that nobody can choose names that fall together.
        let hash: Int

        init(_ tenant: TenantID, _ name: RoomName) {
            self.tenant = tenant
            self.name = name
            var hasher = Hasher()
            hasher.combine(tenant)
            hasher.combine(name)
            hash = hasher.finalize()
        }
    }

    private let names: Names

    public init(tenant: TenantID, name: RoomName) {
        names = Names(tenant, name)
    }

    public var tenant: TenantID { names.tenant }
    public var name: RoomName { names.name }

    public static func == (left: RoomID, right: RoomID) -> Bool {
        left.names === right.names
            || (left.names.hash == right.names.hash && left.names.name == right.names.name
                && left.names.tenant == right.names.tenant)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(names.hash) }

    /// What dictionaries call. The hash is a good one already; hashing it once more would cost more than the look-up.
    public func _rawHashValue(seed: Int) -> Int { names.hash.mixed(with: seed) }
}

extension Int {
    /// Another hash for each of a dictionary's seeds: the elements of one dictionary must not come into another in the
    /// order of its buckets.
    package func mixed(with seed: Int) -> Int {
        // An odd factor, from the golden ratio: no two values become one.
        let product = UInt(bitPattern: self ^ seed) &* 0x9E37_79B9_7F4A_7C15
        return Int(bitPattern: product ^ product >> 32)
    }
}
