internal import GoHubCore

/// What waits to be written to one socket, in this order: the segment that is being written, those queued behind it, and
/// the frames of this turn for this client alone.
struct Outgoing {
    /// Frames for this client alone, of this turn.
    var pending: [UInt8] = []
    private var current: QueuedFrames?
    /// How much of `current` is written.
    private var written = 0
    private(set) var queue: OutboundQueue<QueuedFrames>

    init(bytesMax: Int, watermarkBytes: Int) {
        queue = OutboundQueue(bytesMax: bytesMax, watermarkBytes: watermarkBytes)
    }

    var isEmpty: Bool { pending.isEmpty && current == nil && queue.isEmpty }
    /// Whether nothing is before the turn's own frames.
    var isUnblocked: Bool { current == nil && queue.isEmpty }
    /// What the socket didn't take at once.
    var blockedBytes: Int { queue.byteCount + (current.map { $0.byteCount - written } ?? 0) }
    var waitingBytes: Int { blockedBytes + pending.count }

    // MARK: In

    /// The socket took only the beginning of these, and nothing is before them.
    mutating func begin(_ frames: QueuedFrames, written count: Int) {
        current = frames
        written = count
    }

    /// Behind everything else. The turn's own frames go before, so that the next turn starts afresh.
    mutating func enqueue(_ frames: QueuedFrames, _ ledger: QueueLedger) -> OfferResult {
        if !pending.isEmpty, enqueuePending(ledger) == .overflow { return .overflow }
        return queue.offer(frames)
    }

    mutating func enqueuePending(_ ledger: QueueLedger) -> OfferResult {
        let own = QueuedFrames(copying: pending, ledger)
        pending = []
        return queue.offer(own)
    }

    // MARK: Out

    /// The turn's own frames, if nothing is before them.
    mutating func takePending() -> [UInt8]? {
        guard isUnblocked, !pending.isEmpty else { return nil }
        defer { pending = [] }
        return pending
    }

    /// What is to be written next, and from where on.
    mutating func next(_ ledger: QueueLedger) -> (bytes: [UInt8], start: Int)? {
        if current == nil {
            guard let next = queue.take() ?? takePending().map({ QueuedFrames(copying: $0, ledger) }) else {
                return nil
            }
            current = next
            written = 0
        }
        return current.map { ($0.bytes, written) }
    }

    /// The socket took so many bytes of `next`.
    ///
    /// - Returns: whether that was all.
    mutating func wrote(_ count: Int) -> Bool {
        written += count
        guard let current, written == current.byteCount else { return false }
        self.current = nil
        return true
    }

    // MARK: The end

    /// Throws away what waits, but for the rest of a frame whose beginning the client has.
    ///
    /// - Parameter recordBytesMax: bytes of the segment being written that stay in any case: TLS must be offered again
    ///   what it couldn't write.
    mutating func cut(recordBytesMax: Int) {
        pending = []
        queue.removeAll()
        guard let segment = current else { return }
        let kept = min(written + recordBytesMax, segment.byteCount)
        let boundary = segment.bytes.withUnsafeBytes { FrameEncoder.frameBoundary(in: $0, atOrAfter: kept) }
        guard let boundary, boundary > written else {
            if boundary == written { current = nil }
            return
        }
        current = segment.prefix(boundary)
    }

    mutating func removeAll() {
        pending = []
        current = nil
        queue.removeAll()
    }
}
