/// One upload over one session: from `upload` to `uploaded`.
///
/// What the client may send is bounded by its credit: a window beyond what is stored. So what waits here is, too, and a slow
/// disk holds up its uploads and nothing else.
///
/// ```
/// beginning ─► receiving ─► finishing ─► (uploaded)
///                  └──────────┴──► cancelling
/// ```
struct Transfer: Sendable {
    enum Phase: Equatable, Sendable {
        /// The store looks for the upload, or makes it.
        case beginning
        case receiving(UploadLease)
        /// All bytes are stored, and being checked.
        case finishing(UploadLease)
        /// By a command with this id.
        case cancelling(CommandID, UploadLease)
    }

    /// What its binary messages are told by; the session's own.
    let number: UInt32
    let room: RoomName
    /// Of the `upload`, whose answers have it.
    let id: CommandID
    /// Bytes of the whole file.
    let size: UInt64
    var phase = Phase.beginning
    /// How many bytes the store has.
    private(set) var stored: UInt64 = 0
    /// How many have come.
    private(set) var received: UInt64 = 0
    /// How many may have come.
    private(set) var receivedMax: UInt64 = 0
    /// Those that have come and aren't on their way to the store, which takes one piece at a time.
    private(set) var waiting: [UInt8] = []
    private(set) var isWriting = false
    /// When bytes came, or were stored, last.
    var movedAt: MonotonicTime

    init(_ number: UInt32, _ upload: Command.Upload, now: MonotonicTime) {
        self.number = number
        room = upload.room
        id = upload.id
        size = upload.size
        movedAt = now
    }

    var lease: UploadLease? {
        switch phase {
        case .receiving(let lease), .finishing(let lease), .cancelling(_, let lease): lease
        case .beginning: nil
        }
    }

    var isCancelling: Bool {
        if case .cancelling = phase { true } else { false }
    }

    /// How far it is, as the client is told.
    var progress: TransferProgress {
        TransferProgress(transfer: number, offset: stored, credit: receivedMax - stored)
    }

    var isStored: Bool { stored == size }

    /// Whether it is the client's turn.
    var isAwaitingBytes: Bool {
        guard case .receiving = phase else { return false }
        return !isWriting
    }

    func ends(with chunk: TransferChunk) -> Bool { chunk.offset == size - min(size, UInt64(chunk.payload.count)) }

    /// The store has so many bytes. The client may send a window more.
    mutating func advance(to offset: UInt64, window: UInt64, now: MonotonicTime) {
        stored = min(offset, size)
        received = max(received, stored)
        receivedMax = stored + min(window, size - stored)
        isWriting = false
        movedAt = now
    }

    /// Takes the bytes of a binary message, if it is their turn and there was credit for them.
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
