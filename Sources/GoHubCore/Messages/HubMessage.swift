/// What a shard tells a session.
public enum HubMessage: Equatable, Sendable {
    /// Registered: the session may go on.
    case welcome
    indirect case joined(Event.Joined)
    indirect case joinRefused(RoomName, Event)
    /// Out of the room, by its own wish (with the reply's id in the event) or a moderator's.
    indirect case left(RoomName, Event)
    /// The reply to one command.
    case reply(Event)
    case event(Event)
    case close(CloseCode)
}
