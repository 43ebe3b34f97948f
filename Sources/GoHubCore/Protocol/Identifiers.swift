#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A customer's space: rooms, users and presence of one tenant are never seen by another.
public struct TenantID: Hashable, Sendable, CustomStringConvertible {
    public let value: String

    /// The tenant of tokens that name none.
    public static let standard = TenantID(unchecked: "default")

    /// - Parameter value: 1–64 bytes of `a`–`z`, `0`–`9`, `.`, `_`, `-`, not starting with a sign; `nil` otherwise.
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
    public let value: String

    /// The most bytes of UTF-8 that an id has. Two of them, fully escaped, still make a room name.
    public static let bytesMax = 128

    /// - Parameter value: 1–128 bytes of UTF-8 without control characters; `nil` otherwise.
    public init?(_ value: String) {
        guard value.utf8.count <= Self.bytesMax, value.isPrintable else { return nil }
        self.value = value
    }

    /// Byte order, the same on every node and in every locale.
    public static func < (left: UserID, right: UserID) -> Bool {
        left.value.utf8.lexicographicallyPrecedes(right.value.utf8)
    }

    public static func == (left: UserID, right: UserID) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

/// One browser tab or install of a user, named by the client itself.
public struct DeviceID: Hashable, Sendable, CustomStringConvertible {
    public let value: String

    /// - Parameter value: 1–64 bytes of UTF-8 without control characters; `nil` otherwise.
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
    public let value: String

    /// - Parameter value: 1–64 bytes of UTF-8 without control characters; `nil` otherwise.
    public init?(_ value: String) {
        guard value.utf8.count <= 64, value.isPrintable else { return nil }
        self.value = value
    }

    public static func == (left: CommandID, right: CommandID) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

/// What a user gives a message instead of words: an emoji, or a short text.
public struct Reaction: Hashable, Sendable, CustomStringConvertible {
    public let value: String

    /// The most bytes of UTF-8; an emoji of several people has some forty.
    public static let bytesMax = 64

    /// - Parameter value: 1–64 bytes of UTF-8 without control characters; `nil` otherwise.
    public init?(_ value: String) {
        guard value.utf8.count <= Self.bytesMax, value.isPrintable else { return nil }
        self.value = value
    }

    public static func == (left: Reaction, right: Reaction) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

/// A user of a tenant, on whatever device.
public struct UserKey: Hashable, Sendable {
    public let tenant: TenantID
    public let user: UserID

    public init(tenant: TenantID, user: UserID) {
        self.tenant = tenant
        self.user = user
    }
}

/// What only one session may have at a time; a newer one with the same key replaces the older.
public struct SessionKey: Hashable, Sendable {
    public let user: UserKey
    public let device: DeviceID

    public init(user: UserKey, device: DeviceID) {
        self.user = user
        self.device = device
    }
}

/// One live session. Unique in the process for as long as it runs, and never used again.
public struct SessionID: Hashable, Sendable, CustomStringConvertible {
    /// The edge (event loop) that the session's connection lives on.
    public let edge: EdgeID
    /// The session's number on that edge, counted from 1.
    public let serial: UInt64

    public init(edge: EdgeID, serial: UInt64) {
        self.edge = edge
        self.serial = serial
    }

    public var description: String { "\(edge.index)-\(serial)" }
}

/// A place where connections live: an event loop, or an embedder's `Hub`.
public struct EdgeID: Hashable, Sendable {
    public let index: Int

    public init(_ index: Int) {
        self.index = index
    }
}

extension String {
    /// Byte for byte, where `==` takes two spellings of one character for the same: to an identity provider and to a
    /// database they are two users, so they must be two here.
    @inline(__always)
    func hasSameBytes(as other: String) -> Bool {
        isSameValue(as: other) || hasSameBytesElsewhere(other)
    }

    /// Whether the two values are the same 16 bytes: those of a short string are the text itself, those of a longer one
    /// tell its storage. So this says yes to equal strings only, and no to some.
    @inline(__always)
    private func isSameValue(as other: String) -> Bool {
        // Where a string has another size, which is checked when this is compiled, nothing is cast.
        guard MemoryLayout<String>.size == MemoryLayout<(UInt64, UInt64)>.size else { return false }
        return unsafeBitCast(self, to: (UInt64, UInt64).self) == unsafeBitCast(other, to: (UInt64, UInt64).self)
    }

    private func hasSameBytesElsewhere(_ other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let isSame = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                // An empty string may have no address, and nothing to compare. Both have as many bytes.
                guard let first = left.baseAddress, let second = right.baseAddress else { return true }
                return memcmp(first, second, left.count) == 0
            }
        }
        // A string of Objective-C's may have no bytes to lend.
        return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
    }

    /// Goes with `hasSameBytes`. The last byte, which no UTF-8 holds, keeps two strings in a row apart.
    func hashBytes(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: $0) }
        hasher.combine(0xFF as UInt8)
    }

    /// Lends the UTF-8, without copying the string where it is stored as such, as everywhere on Linux.
    @inline(__always)
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let result = utf8.withContiguousStorageIfAvailable({ body(UnsafeRawBufferPointer($0)) }) { return result }
        return Array(utf8).withUnsafeBytes(body)
    }

    /// Not empty, and without the control characters (C0, DEL, C1) that could break a log line or a header,
    /// nor the ones that turn the direction of the text around them.
    var isPrintable: Bool {
        guard !isEmpty else { return false }
        if withBytes({ JSONScan.isPrintableASCII($0) }) { return true }
        return unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0...0x1F, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: false
            default: true
            }
        }
    }

    /// Whether U+0000 is in it.
    var holdsNull: Bool {
        withBytes { bytes in bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false }
    }
}
