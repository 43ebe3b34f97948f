/// What the connections of one loop share. Belongs to the loop's thread.
final class ConnectionResources {
    /// For what is to be written.
    var spareBuffers = BufferPool()
    let directSends = DirectSendTable()
    /// For all TLS connections.
    private(set) lazy var tlsSocket = TLSSocketBIO()
    /// What the sockets didn't take.
    let queued: QueueLedger
    /// What waits of requests of plain HTTP.
    let held: HeldBytesLedger
    /// For the connections that negotiated compression; both `nil` without it.
    let inflater: Inflater?
    let deflater: Deflater?

    /// - Parameters:
    ///   - queuedBytesMax: what may wait for all clients together.
    ///   - heldBytesMax: of requests of plain HTTP, what may wait of all clients together.
    init(
        queuedBytesMax: Int = .max, heldBytesMax: Int = .max, inflater: Inflater? = nil, deflater: Deflater? = nil
    ) {
        queued = QueueLedger(bytesMax: queuedBytesMax)
        held = HeldBytesLedger(bytesMax: heldBytesMax)
        self.inflater = inflater
        self.deflater = deflater
    }
}
