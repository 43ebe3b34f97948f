internal import GoHubCore

/// The memory used by bytes that a loop's sockets didn't accept. Frames queued for many clients count once.
///
/// The bound is shared by the loop's connections. A client may queue no more than is free, like the ports of a switch
/// with shared memory: the fuller it is, the less each may hold, so that the clients with the longest queues are
/// dropped first. Belongs to the loop's thread.
final class QueueLedger {
    fileprivate(set) var bytes = 0
    var bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Below zero for a moment: a partly written frame is kept before somebody is dropped for it.
    var free: Int { bytesMax - bytes }
}

/// Frames that a socket didn't accept, possibly shared by many sockets.
final class QueuedFrames: OutboundElement {
    let bytes: [UInt8]
    private let ledger: QueueLedger

    /// Copies the frames, because they come from a buffer that is reused and may be much larger.
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

    /// The first `count` bytes.
    func prefix(_ count: Int) -> QueuedFrames {
        QueuedFrames(copying: bytes[..<count], ledger)
    }
}

/// A copy of a room's frames shared by the connections that can't take them at once: created for the first of them.
struct SharedCopy {
    private var queued: QueuedFrames?

    mutating func queued(_ frames: [UInt8], in ledger: QueueLedger) -> QueuedFrames {
        if let queued { return queued }
        let copy = QueuedFrames(copying: frames, ledger)
        queued = copy
        return copy
    }
}
