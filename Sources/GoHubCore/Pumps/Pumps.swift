/// The sole writer of one transport.
///
/// Whoever has something for the client offers it here and goes on: nothing ever waits for a client. The pump keeps
/// the order of the offers.
public protocol WritePump: AnyObject {
    /// Takes an event for writing, without blocking.
    ///
    /// After `overflow` the pump takes nothing but `close`.
    func offer(_ event: EncodedEvent) -> OfferResult

    /// Writes what was accepted, then a close frame, and ends the transport. After an overflow only the close frame.
    func close(_ code: CloseCode)
}

/// The sole reader of one transport that pushes what it reads.
///
/// It is told to pause while what the client's commands caused is not yet taken, so that a client which asks faster
/// than it is served fills its own socket and nobody's memory. A transport that is pulled needs none: its owner stops
/// to pull while `HubConnection.receive` waits.
public protocol ReadPump: AnyObject {
    func pauseReading()
    func resumeReading()
}
