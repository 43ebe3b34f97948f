package struct JoinRequest: Equatable, Sendable {
    package var session: SessionID
    package var id: CommandID
    package var room: RoomID
    package var member: Member
    package var since: Position?
    package var limit: Int
    /// The position that the answer must reach, because the client may have seen it through another hub; `nil` until
    /// the store was read.
    package var upTo: Position?

    package init(
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
