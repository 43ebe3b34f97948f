/// The permissions of a session in a room.
public struct Permissions: OptionSet, Hashable, Sendable {
    /// Bit 0 is `read`, bit 1 `write`, bit 2 `moderate`.
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Join, read history, see members.
    public static let read = Permissions(rawValue: 1)
    /// Send messages and typing.
    public static let write = Permissions(rawValue: 2)
    /// Kick, mute and ban.
    public static let moderate = Permissions(rawValue: 4)

    /// `read`, `write` and `moderate`.
    public static let all: Permissions = [.read, .write, .moderate]
}
