/// The sole writer of one transport.
///
/// Events for the client are offered here, and the caller continues: nothing ever waits for a client. The pump keeps
/// the order of the offers.
public protocol WritePump: AnyObject {
    /// Accepts an event for writing, without blocking.
    ///
    /// After `overflow` the pump accepts only `close`.
    func offer(_ event: EncodedEvent) -> OfferResult

    /// Writes the accepted events, then a close frame, and ends the transport. After an overflow only the close frame
    /// is written.
    func close(_ code: CloseCode)
}

/// The result of offering an event to a write pump.
public enum OfferResult: Hashable, Sendable {
    /// Taken.
    case accepted
    /// Accepted, but the client is behind: don't read more of its commands until it has caught up.
    case acceptedAboveWatermark
    /// Rejected, as are all later events: the client is too slow and must be closed with 4001.
    case overflow
}

/// The sole reader of one transport that pushes what it reads.
///
/// It is paused while the events caused by the client's commands have not been taken. So a client that sends faster
/// than it is served fills its own socket and nobody's memory. A pulled transport needs no read pump: its owner stops
/// pulling while `Hub.Connection.receive` waits.
package protocol ReadPump: AnyObject {
    func pauseReading()
    func resumeReading()
}
