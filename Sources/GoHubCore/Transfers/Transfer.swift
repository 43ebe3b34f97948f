/// One upload over one session: from `upload` to `uploaded`.
///
/// The credit bounds the bytes that the client may send: one window beyond the stored bytes. So the bytes that wait
/// here are bounded, too, and a slow disk slows down its uploads and nothing else.
///
/// ```
/// beginning ─► receiving ─► finishing ─► (uploaded)
///                  └──────────┴──► cancelling
/// ```
struct Transfer: Sendable {
    enum Phase: Equatable, Sendable {
        /// The store finds or creates the upload.
        case beginning
        case receiving(Upload.Lease)
        /// All bytes are stored and being checked.
        case finishing(Upload.Lease)
        /// Cancelled by a command with this id.
        case cancelling(CommandID, Upload.Lease)
    }

    /// The number that identifies its binary messages; unique in the session.
    let number: UInt32
    let room: RoomName
    /// The id of the `upload`, which its answers carry.
    let id: CommandID
    /// The size of the whole file in bytes.
    let size: UInt64
    var phase = Phase.beginning
    /// The number of bytes stored.
    private(set) var stored: UInt64 = 0
    /// The number of bytes received.
    private(set) var received: UInt64 = 0
    /// The number of bytes that the client may have sent.
    private(set) var receivedMax: UInt64 = 0
    /// Received bytes that are not on their way to the store, which takes one piece at a time.
    private(set) var waiting: [UInt8] = []
    private(set) var isWriting = false
    /// The last time when bytes were received or stored.
    var movedAt: MonotonicTime

    init(_ number: UInt32, _ upload: Command.Upload, now: MonotonicTime) {
        self.number = number
        room = upload.room
        id = upload.id
        size = upload.size
        movedAt = now
    }

    var lease: Upload.Lease? {
        switch phase {
        case .receiving(let lease), .finishing(let lease), .cancelling(_, let lease): lease
        case .beginning: nil
        }
    }

    var isCancelling: Bool {
        if case .cancelling = phase { true } else { false }
    }

    /// The progress as sent to the client.
    var progress: Event.TransferProgress {
        Event.TransferProgress(transfer: number, offset: stored, credit: receivedMax - stored)
    }

    var isStored: Bool { stored == size }

    /// Whether the transfer waits for the client.
    var isAwaitingBytes: Bool {
        guard case .receiving = phase else { return false }
        return !isWriting
    }

    func ends(with chunk: TransferChunk) -> Bool { chunk.offset == size - min(size, UInt64(chunk.payload.count)) }

    /// Notes the number of bytes stored. The client may send one window beyond it.
    mutating func advance(to offset: UInt64, window: UInt64, now: MonotonicTime) {
        stored = min(offset, size)
        received = max(received, stored)
        receivedMax = stored + min(window, size - stored)
        isWriting = false
        movedAt = now
    }

    /// Accepts the bytes of a binary message if they are the next ones and within the credit.
    mutating func take(_ chunk: TransferChunk, now: MonotonicTime) -> Bool {
        guard case .receiving = phase, chunk.offset == received,
            UInt64(chunk.payload.count) <= receivedMax - received
        else { return false }
        waiting += chunk.payload
        received += UInt64(chunk.payload.count)
        movedAt = now
        return true
    }

    /// The next piece for the store; `nil` while one is on its way, or there is none.
    mutating func nextPiece() -> [UInt8]? {
        guard !isWriting, !waiting.isEmpty else { return nil }
        isWriting = true
        defer { waiting = [] }
        return waiting
    }
}
