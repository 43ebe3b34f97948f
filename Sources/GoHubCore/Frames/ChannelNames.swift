/// The channels of a cluster's topics:
///
/// | topic | channel |
/// |---|---|
/// | all | `<prefix>.all` |
/// | a node | `<prefix>.n.<incarnation>` |
/// | a room | `<prefix>.r.<tenant>.<room>` |
/// | a user | `<prefix>.u.<tenant>.<user>` |
///
/// In tenants, rooms and users, every byte but letters, digits, `-`, `_` and `~` is percent-encoded, so that a channel
/// is ASCII without spaces, and belongs to one topic only.
package struct ChannelNames: Hashable, Sendable {
    /// Bytes of the longest channel: of a direct conversation of two long names that are fully encoded.
    package static let bytesMax = ClusterPrefix.bytesMax + 3 + 3 * 64 + 1 + 3 * 772

    private let prefix: [UInt8]

    package init(prefix: ClusterPrefix = .standard) {
        self.prefix = Array(prefix.value.utf8)
    }

    // MARK: Topic to channel

    package func channel(of topic: ClusterTopic) -> [UInt8] {
        var name = prefix
        name.append(Self.dot)
        switch topic {
        case .all: name += "all".utf8
        case .node(let incarnation):
            name += "n.".utf8
            name += incarnation.description.utf8
        case .room(let room):
            name += "r.".utf8
            Self.append(room.tenant.value, to: &name)
            name.append(Self.dot)
            Self.append(room.name.value, to: &name)
        case .user(let key):
            name += "u.".utf8
            Self.append(key.tenant.value, to: &name)
            name.append(Self.dot)
            Self.append(key.user.value, to: &name)
        }
        return name
    }

    private static let dot = UInt8(ascii: ".")

    private static func append(_ text: String, to name: inout [UInt8]) {
        for byte in text.utf8 {
            if isUnreserved(byte) {
                name.append(byte)
            } else {
                name += [UInt8(ascii: "%"), digit(byte >> 4), digit(byte & 15)]
            }
        }
    }

    /// Whether a byte stands for itself in a tenant, room or user.
    package static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    // MARK: Channel to topic

    /// The topic of a channel; `nil` for a channel of nobody, and for another spelling of a channel.
    package func topic(of channel: [UInt8]) -> ClusterTopic? {
        guard channel.count <= Self.bytesMax, channel.starts(with: prefix) else { return nil }
        let parts = channel[prefix.count...].split(separator: Self.dot, omittingEmptySubsequences: false)
        // The name has a dot after the prefix, so its first part is empty.
        guard parts.count >= 2, parts[0].isEmpty else { return nil }
        let topic: ClusterTopic? =
            switch (String(decoding: parts[1], as: UTF8.self), parts.count) {
            case ("all", 2): .all
            case ("n", 3): NodeIncarnation(text: String(decoding: parts[2], as: UTF8.self)).map { .node($0) }
            case ("r", 4): Self.room(parts[2], parts[3]).map { .room($0) }
            case ("u", 4): Self.user(parts[2], parts[3]).map { .user($0) }
            default: nil
            }
        // Lower-case digits, and characters that are encoded without need.
        guard let topic, self.channel(of: topic) == channel else { return nil }
        return topic
    }

    private static func room(_ tenant: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> RoomID? {
        guard let tenant = decode(tenant).flatMap(TenantID.init), let name = decode(name).flatMap(RoomName.init) else {
            return nil
        }
        return RoomID(tenant: tenant, name: name)
    }

    private static func user(_ tenant: ArraySlice<UInt8>, _ user: ArraySlice<UInt8>) -> UserKey? {
        guard let tenant = decode(tenant).flatMap(TenantID.init), let user = decode(user).flatMap(UserID.init) else {
            return nil
        }
        return UserKey(tenant: tenant, user: user)
    }

    private static func decode(_ text: ArraySlice<UInt8>) -> String? { PercentDecoding.decode(text) }
}
