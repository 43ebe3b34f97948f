/// A request of a session to its shell. The shell performs actions in order.
package enum SessionAction: Equatable, Sendable {
    case send(Event)
    /// Forwards an input to the shard that owns its subject.
    case hub(HubInput)
    /// Asks the token verifier or the file store without blocking; the answer goes to `SessionStateMachine.answered`.
    case ask(SessionRequest)
    /// From here on, events of the room are for this session.
    case enter(RoomID)
    /// From here on, events of the room are no longer for this session.
    case exit(RoomID)
    /// Sends the session the room's pending events. The answer that follows is newer than they are.
    case flush(RoomID)
    /// Releases a lease in the file store.
    case release(Upload.Lease)
    case pauseReading
    case resumeReading
    /// Closes the transport with this code; the session has ended.
    case close(CloseCode)
}
