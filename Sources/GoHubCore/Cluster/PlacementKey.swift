/// The key of the hash by which rooms and users are placed: 128 random bits, made once for a database and kept in it,
/// so that all nodes have the same. Secret: who knows it can choose names that fall together.
package struct PlacementKey: Hashable, Sendable, CustomStringConvertible {
    /// Bytes 0 to 7, little-endian.
    package let low: UInt64
    /// Bytes 8 to 15, little-endian.
    package let high: UInt64

    package static let byteCount = 16

    package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// - Parameter bytes: exactly 16 bytes, as stored; `nil` otherwise.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        func number(_ part: some Collection<UInt8>) -> UInt64 {
            part.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        self.init(low: number(bytes.prefix(8)), high: number(bytes.dropFirst(8)))
    }

    /// The 16 bytes to store.
    package var bytes: [UInt8] {
        [low, high].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    package static func random(using generator: inout some RandomNumberGenerator) -> PlacementKey {
        PlacementKey(low: generator.next(), high: generator.next())
    }

    /// Without the key itself, which must not get into a log.
    package var description: String { "PlacementKey(…)" }
}

/// Where a room or a user falls: equal on all nodes that have the same key.
package struct Placement: Hashable, Sendable {
    package let hash: UInt64

    /// The first byte separates the two kinds, so that a room and a user of the same name are independent.
    private enum Kind: UInt8 {
        case room = 1
        case user = 2
    }

    package init(of room: RoomID, key: PlacementKey) {
        self.init(.room, room.tenant, room.name.value, key)
    }

    package init(of user: UserKey, key: PlacementKey) {
        self.init(.user, user.tenant, user.user.value, key)
    }

    private init(_ kind: Kind, _ tenant: TenantID, _ name: String, _ key: PlacementKey) {
        var hash = StableHash(key: key)
        hash.combine(kind.rawValue)
        hash.combine(tenant.value)
        hash.combine(name)
        self.hash = hash.finalize()
    }

    /// The place among `count` numbered ones: uniform, without a division (Lemire, "Fast random integer generation in
    /// an interval", ACM TOMACS 2019). Another count moves almost everything, which suits shards and not nodes.
    ///
    /// - Parameter count: at least 1.
    package func index(among count: Int) -> Int {
        precondition(count > 0, "there is no place among none")
        // Less than `count`, so it fits.
        return Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(count)).high)
    }

    /// The weight of a node for this place: the node with the highest one has it (rendezvous hashing: Thaler and
    /// Ravishankar, IEEE/ACM ToN 1998). When a node goes, only its own places move, evenly to all others.
    ///
    /// By name and not by incarnation, so that a restart moves nothing.
    package func weight(of node: NodeName, key: PlacementKey) -> UInt64 {
        var hash = StableHash(key: key)
        hash.combine(self.hash)
        hash.combine(node.value)
        return hash.finalize()
    }

    /// The nodes in the order of preference. Equal weights are ordered by name.
    package func ranking(of nodes: some Collection<NodeName>, key: PlacementKey) -> [NodeName] {
        nodes.map { (weight: weight(of: $0, key: key), node: $0) }
            .sorted { ($1.weight, $0.node) < ($0.weight, $1.node) }
            .map(\.node)
    }
}
