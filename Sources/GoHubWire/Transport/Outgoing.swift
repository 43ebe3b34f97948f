internal import GoHubCore

/// The output queue of one socket, in this order: the segment that is being written, those queued behind it, and the
/// frames of this turn for this client alone.
struct Outgoing {
    /// Frames for this client alone, of this turn.
    var pending: [UInt8] = []
    private var current: QueuedFrames?
    /// The written part of `current`.
    private var written = 0
    private(set) var queue: OutboundQueue<QueuedFrames>

    init(bytesMax: Int, watermarkBytes: Int) {
        queue = OutboundQueue(bytesMax: bytesMax, watermarkBytes: watermarkBytes)
    }

    var isEmpty: Bool { pending.isEmpty && current == nil && queue.isEmpty }
    /// Whether nothing precedes the turn's own frames.
    var isUnblocked: Bool { current == nil && queue.isEmpty }
    /// Bytes that the socket didn't accept at once.
    var blockedBytes: Int { queue.byteCount + (current.map { $0.byteCount - written } ?? 0) }
    var waitingBytes: Int { blockedBytes + pending.count }

    // MARK: In

    /// Keeps frames of which the socket accepted only the beginning; nothing precedes them.
    mutating func begin(_ frames: QueuedFrames, written count: Int) {
        current = frames
        written = count
    }

    /// Appends behind everything else. The turn's own frames go first, so that the next turn starts empty.
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

    /// The turn's own frames, if nothing precedes them.
    mutating func takePending() -> [UInt8]? {
        guard isUnblocked, !pending.isEmpty else { return nil }
        defer { pending = [] }
        return pending
    }

    /// The next bytes to write, and the offset to start from.
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

    /// Notes that the socket accepted this many bytes of `next`.
    ///
    /// - Returns: whether that was all.
    mutating func wrote(_ count: Int) -> Bool {
        written += count
        guard let current, written == current.byteCount else { return false }
        self.current = nil
        return true
    }

    // MARK: The end

    /// Discards queued bytes, except for the rest of a frame whose beginning the client has.
    ///
    /// - Parameter recordBytesMax: bytes of the current segment that stay in any case: TLS must be offered the bytes
    ///   again that it couldn't write.
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
