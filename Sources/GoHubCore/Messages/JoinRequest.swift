public struct JoinRequest: Equatable, Sendable {
    public var session: SessionID
    public var id: CommandID
    public var room: RoomID
    public var member: Member
    public var since: Position?
    public var limit: Int

    public init(
        session: SessionID, id: CommandID, room: RoomID, member: Member, since: Position? = nil, limit: Int = 0
    ) {
        self.session = session
        self.id = id
        self.room = room
        self.member = member
        self.since = since
        self.limit = limit
    }
}
