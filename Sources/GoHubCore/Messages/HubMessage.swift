/// A shard's message to a session.
package enum HubMessage: Equatable, Sendable {
    /// Registered: the session may continue.
    case welcome
    indirect case joined(Event.Joined)
    indirect case joinRefused(RoomName, Event)
    /// Removed from the room, on the session's request (with the reply's id in the event) or by a moderator.
    indirect case left(RoomName, Event)
    /// The reply to one command.
    case reply(Event)
    /// The reply to a command that asked for the room's members.
    indirect case members(RoomName, Event)
    case event(Event)
    case close(CloseCode)
    /// The client has missed something. The session closes with 4002 after the time, or with the client's next command.
    /// If it is the history of a room, the session is out of that room.
    case resync(RoomName?, closeAfter: Milliseconds)
    /// Report since when the client was not heard (`HubInput.idleMeasured`).
    indirect case measureIdle(SessionClaims.IdlePurpose)
}
