internal import GoHubTLS

/// The resources that the connections of one loop share. Belongs to the loop's thread.
final class ConnectionResources {
    /// Buffers for output.
    var spareBuffers = BufferPool()
    let directSends = DirectSendTable()
    /// Shared by all TLS connections.
    private(set) lazy var tlsSocket = TLSSocketBIO()
    /// Accounts for the bytes that sockets didn't accept.
    let queued: QueueLedger
    /// Accounts for the waiting bytes of plain HTTP requests.
    let held: HeldBytesLedger
    /// Shared by connections that negotiated compression; both `nil` without it.
    let inflater: Inflater?
    let deflater: Deflater?

    /// - Parameters:
    ///   - queuedBytesMax: the maximum of all clients' queued bytes together.
    ///   - heldBytesMax: the maximum of all plain HTTP requests' waiting bytes together.
    init(
        queuedBytesMax: Int = .max, heldBytesMax: Int = .max, inflater: Inflater? = nil, deflater: Deflater? = nil
    ) {
        queued = QueueLedger(bytesMax: queuedBytesMax)
        held = HeldBytesLedger(bytesMax: heldBytesMax)
        self.inflater = inflater
        self.deflater = deflater
    }
}
