internal import GoHubCore

/// How much memory holds what a loop's sockets didn't take: frames that many clients wait for count once.
///
/// The bound is shared by the loop's connections. A client may have no more waiting than is free, as in a switch whose
/// ports share its memory: the fuller it is, the less each may hold, so that those who hold the most go first.
/// Belongs to the loop's thread.
final class QueueLedger {
    fileprivate(set) var bytes = 0
    var bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Less than nothing for a moment: what a socket took only in part is kept before somebody is dropped for it.
    var free: Int { bytesMax - bytes }
}

/// Frames that a socket didn't take, perhaps those of many sockets.
final class QueuedFrames: OutboundElement {
    let bytes: [UInt8]
    private let ledger: QueueLedger

    /// Copies them, since they come from a buffer that is used again, and may be much larger.
    init<Frames: Collection<UInt8>>(copying frames: Frames, _ ledger: QueueLedger) {
        // `Array(frames)` of an array would share it.
        bytes = Array(unsafeUninitializedCapacity: frames.count) { buffer, count in
            count = buffer.initialize(fromContentsOf: frames)
        }
        self.ledger = ledger
        ledger.bytes += bytes.count
    }

    deinit {
        ledger.bytes -= bytes.count
    }

    var byteCount: Int { bytes.count }

    /// The first of them.
    func prefix(_ count: Int) -> QueuedFrames {
        QueuedFrames(copying: bytes[..<count], ledger)
    }
}

/// What those share who can't take a room's frames of a turn at once: made for the first of them.
struct SharedCopy {
    private var queued: QueuedFrames?

    mutating func queued(_ frames: [UInt8], in ledger: QueueLedger) -> QueuedFrames {
        if let queued { return queued }
        let copy = QueuedFrames(copying: frames, ledger)
        queued = copy
        return copy
    }
}
