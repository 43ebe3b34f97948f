/// A request of a session to its shell. The shell performs actions in order.
package enum SessionAction: Equatable, Sendable {
    case send(Event)
    /// Forwards an input to the shard that owns its subject.
    case hub(HubInput)
    /// Verifies the token without blocking; the result goes to `SessionStateMachine.verified`.
    case verify(token: String)
    /// From here on, events of the room are for this session.
    case enter(RoomID)
    /// From here on, events of the room are no longer for this session.
    case exit(RoomID)
    /// Sends a request to the file store for the transfer with this number; the answer comes back through
    /// `SessionStateMachine.answered`.
    case transfer(UInt32, TransferRequest)
    /// Releases a lease in the file store.
    case release(Upload.Lease)
    case pauseReading
    case resumeReading
    /// Closes the transport with this code; the session has ended.
    case close(CloseCode)
}
