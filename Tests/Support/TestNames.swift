public import GoHubCore

/// Names as literals in tests. An invalid one is a mistake of the test and stops it.
extension TenantID {
    public static func named(_ value: String) -> TenantID { valid(TenantID(value), value) }
}

extension UserID {
    public static let alice = named("alice")
    public static let bob = named("bob")
    public static let carol = named("carol")

    public static func named(_ value: String) -> UserID { valid(UserID(value), value) }
}

extension DeviceID {
    public static let phone = named("phone")
    public static let laptop = named("laptop")

    public static func named(_ value: String) -> DeviceID { valid(DeviceID(value), value) }
}

extension CommandID {
    public static func named(_ value: String) -> CommandID { valid(CommandID(value), value) }
}

extension Reaction {
    public static let thumb = named("👍")
    public static let heart = named("❤️")

    public static func named(_ value: String) -> Reaction { valid(Reaction(value), value) }
}

extension FileID {
    public static func named(_ value: String) -> FileID { valid(FileID(value), value) }
}

extension RoomName {
    public static let lobby = named("lobby")

    public static func named(_ value: String) -> RoomName { valid(RoomName(value), value) }
}

extension RoomID {
    public static let lobby = named("lobby")

    /// A room of the standard tenant.
    public static func named(_ value: String) -> RoomID { RoomID(tenant: .standard, name: .named(value)) }
}

extension SessionID {
    package static func number(_ serial: UInt64, edge: Int = 0) -> SessionID {
        SessionID(edge: EdgeID(edge), serial: serial)
    }
}

extension SessionKey {
    package static func of(_ user: UserID, _ device: DeviceID = .phone) -> SessionKey {
        SessionKey(user: UserKey(tenant: .standard, user: user), device: device)
    }
}

private func valid<Name>(_ name: Name?, _ value: String) -> Name {
    guard let name else { preconditionFailure("the test's name \(value.debugDescription) is not valid") }
    return name
}
