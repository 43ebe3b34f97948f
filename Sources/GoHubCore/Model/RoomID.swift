/// A room of a tenant: the hub's key for everything.
///
/// A reference to both names and their hash, because a room is looked up and passed on several times per message.
public struct RoomID: Hashable, Sendable {
    private final class Names: Sendable {
        let tenant: TenantID
        let name: RoomName
        /// Seeded per process, like all of Swift's hashing, so that nobody can choose colliding names.
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

    /// Called by dictionaries. The stored hash is already good; hashing it again would cost more than the look-up.
    public func _rawHashValue(seed: Int) -> Int { names.hash.mixed(with: seed) }
}

/// By tenant, then by name.
extension RoomID: Comparable {
    public static func < (left: RoomID, right: RoomID) -> Bool {
        left.tenant.value == right.tenant.value
            ? left.name.value < right.name.value : left.tenant.value < right.tenant.value
    }
}

extension Int {
    /// A different hash for each dictionary seed: copying one dictionary's elements into another in bucket order must
    /// not degrade.
    package func mixed(with seed: Int) -> Int {
        // An odd factor, from the golden ratio: the mapping is injective.
        let product = UInt(bitPattern: self ^ seed) &* 0x9E37_79B9_7F4A_7C15
        return Int(bitPattern: product ^ product >> 32)
    }
}
