internal import GoHubCore
internal import GoHubWire

/// What HTTP asks of the hub. `HubServer` is the one that answers; a test brings its own.
protocol HubControl: Sendable {
    /// Whether new clients are let in.
    var isAccepting: Bool { get }
    /// Why one more connection of a client with this address would be refused now; `nil` when it would be taken.
    func refusal(ofAddress address: String?) -> AdmissionRefusal?
    /// - Returns: `.ack`, or `.error` with the reason.
    func publish(_ text: String, to room: RoomID, from sender: Member, id: CommandID) async -> Event
    /// - Returns: `.ack`, or `.error` with the reason.
    func delete(_ offset: Offset, in room: RoomID, by moderator: Member, id: CommandID) async -> Event
    /// - Returns: how many sessions were closed.
    func disconnect(_ user: UserKey) async -> Int
    func members(of room: RoomID) async -> Event.Members
    /// What moderators have taken from a user in a room for now: by a mute to write, by a ban all.
    ///
    /// - Returns: `nil` when the store can't answer.
    func withheld(from user: UserID, in room: RoomID) async -> Permissions?
    /// Who is muted or banned in a room.
    ///
    /// - Returns: `nil` when the store can't answer.
    func sanctions(of room: RoomID) async -> [UserSanction]?
    /// Kicks, mutes, bans or pardons a user.
    ///
    /// - Returns: `.notice` with what the room is told, when it is in effect, or `.error` with the reason.
    func moderate(_ room: RoomID, _ sanction: Sanction, id: CommandID) async -> Event
    func rooms(of tenant: TenantID) async -> [HubState.RoomSummary]
}

extension HubServer: HubControl {}
