/// A customer's space: no tenant ever sees the rooms, users and presence of another.
public struct TenantID: Hashable, Sendable, CustomStringConvertible {
    /// 1–64 bytes of ASCII.
    public let value: String

    /// The tenant of tokens without a tenant.
    public static let standard = TenantID(unchecked: "default")

    /// - Parameter value: 1–64 bytes of `a`–`z`, `0`–`9`, `.`, `_`, `-`, beginning with a letter or digit; `nil`
    ///   otherwise.
    public init?(_ value: String) {
        guard RoomName.isPlainName(value) else { return nil }
        self.value = value
    }

    private init(unchecked value: String) {
        self.value = value
    }

    public static func == (left: TenantID, right: TenantID) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

/// A user inside a tenant: the token's `sub`.
public struct UserID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// 1–128 bytes of UTF-8.
    public let value: String

    /// The maximum bytes of UTF-8. Two ids, fully escaped, still make a room name.
    public static let bytesMax = 128

    /// - Parameter value: 1–128 bytes of UTF-8 without control characters, line separators and characters that change
    ///   the text's direction; `nil` otherwise.
    public init?(_ value: String) {
        guard value.utf8.count <= Self.bytesMax, value.isPrintable else { return nil }
        self.value = value
    }

    /// Byte order, identical on every node and in every locale.
    public static func < (left: UserID, right: UserID) -> Bool {
        left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
    }

    public static func == (left: UserID, right: UserID) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

/// A browser tab or install of a user, named by the client.
public struct DeviceID: Hashable, Sendable, CustomStringConvertible {
    /// 1–64 bytes of UTF-8.
    public let value: String

    /// - Parameter value: 1–64 bytes of UTF-8 without control characters, line separators and characters that change
    ///   the text's direction; `nil` otherwise.
    public init?(_ value: String) {
        guard value.utf8.count <= 64, value.isPrintable else { return nil }
        self.value = value
    }

    public static func == (left: DeviceID, right: DeviceID) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

/// The client's correlation string of a command, and for `send` its idempotency key.
public struct CommandID: Hashable, Sendable, CustomStringConvertible {
    /// 1–64 bytes of UTF-8.
    public let value: String

    /// - Parameter value: 1–64 bytes of UTF-8 without control characters, line separators and characters that change
    ///   the text's direction; `nil` otherwise.
    public init?(_ value: String) {
        guard value.utf8.count <= 64, value.isPrintable else { return nil }
        self.value = value
    }

    public static func == (left: CommandID, right: CommandID) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

/// A reaction to a message: an emoji or a short text.
public struct Reaction: Hashable, Sendable, CustomStringConvertible {
    /// 1–64 bytes of UTF-8.
    public let value: String

    /// The maximum bytes of UTF-8; an emoji of several people has about forty.
    public static let bytesMax = 64

    /// - Parameter value: 1–64 bytes of UTF-8 without control characters, line separators and characters that change
    ///   the text's direction; `nil` otherwise.
    public init?(_ value: String) {
        guard value.utf8.count <= Self.bytesMax, value.isPrintable else { return nil }
        self.value = value
    }

    public static func == (left: Reaction, right: Reaction) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

/// A user of a tenant, on any device.
public struct UserKey: Hashable, Sendable {
    public let tenant: TenantID
    public let user: UserID

    public init(tenant: TenantID, user: UserID) {
        self.tenant = tenant
        self.user = user
    }
}

/// The key of a session. Only one session may have it at a time; a newer session replaces the older one.
package struct SessionKey: Hashable, Sendable {
    package let user: UserKey
    package let device: DeviceID

    package init(user: UserKey, device: DeviceID) {
        self.user = user
        self.device = device
    }
}
