internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS

/// One loop's part of a room: its subscribers on the loop, and this turn's frames for all of them. Belongs to the
/// loop's thread.
final class LocalRoom {
    let id: RoomID
    /// The turn's events as frames: uncompressed, and compressed if a subscriber negotiated that.
    fileprivate var frames: [UInt8] = []
    fileprivate var compressedFrames: [UInt8] = []
    fileprivate var eventCount = 0
    fileprivate(set) var subscribers: ContiguousArray<Connection> = []
    /// The subscribers' descriptors, in the same order.
    fileprivate var descriptors: ContiguousArray<Int32> = []
    private var deflateCount = 0

    init(id: RoomID) {
        self.id = id
    }

    fileprivate var wantsCompressed: Bool { deflateCount > 0 }

    /// - Returns: the subscriber's index, for removing it.
    fileprivate func add(_ connection: Connection) -> Int {
        if connection.usesDeflate { deflateCount += 1 }
        subscribers.append(connection)
        descriptors.append(connection.descriptor)
        return subscribers.count - 1
    }

    /// The last subscriber moves to the removed one's index.
    ///
    /// - Returns: the subscriber that moved.
    fileprivate func remove(at index: Int) -> Connection? {
        if subscribers[index].usesDeflate { deflateCount -= 1 }
        let last = subscribers.removeLast()
        let lastDescriptor = descriptors.removeLast()
        guard index < subscribers.count else { return nil }
        subscribers[index] = last
        descriptors[index] = lastDescriptor
        return last
    }
}

/// A session's index in a room's list.
struct Subscription {
    let room: LocalRoom
    fileprivate(set) var index: Int
}

/// Delivers one event to many: a room's events of a turn form one run of bytes, shared by all subscribers, and each
/// subscriber gets it in one `send`.
///
/// ```
/// deliver ─► append a frame to the room's frames of this turn
///             │ at the turn's end (`flush`), at 64 KiB, before a session enters or leaves, and before an answer that
///             │ shows the room
///             ▼
///    for each subscriber: can the frames be sent directly (`DirectSendTable`), with nothing queued before them?
///      yes ─► send, straight from the room's array
///               all accepted ─► done: no copy, no reference
///               a part       ─► the rest waits in the connection's queue; all waiting clients share one copy
///      no  ─► Connection.deliver: behind the queued bytes, in one call with the client's own replies if possible
///
///    a queue overflows ─► reported; the loop drops these clients after the room
/// ```
struct FanOut {
    private var rooms: [RoomID: LocalRoom] = [:]
    private var dirty: [LocalRoom] = []
    private var spareBuffers = BufferPool()
    private let directSends: DirectSendTable
    /// The number of deliveries, one per event and receiver, and their bytes, since the last `takeDelivered`.
    private var delivered = (events: 0, bytes: 0)

    /// - Parameter directSends: the table of the loop to which all subscribers belong.
    init(_ directSends: DirectSendTable) {
        self.directSends = directSends
    }

    var roomCount: Int { rooms.count }
    var isIdle: Bool { dirty.isEmpty }
    /// The number of sends that the turn's events will take.
    var dueSends: Int { dirty.reduce(0) { $0 + ($1.eventCount > 0 ? $1.subscribers.count : 0) } }

    // MARK: Subscribers

    /// Adds a session. Events delivered earlier in this turn aren't for it, so they are sent first.
    mutating func enter(_ session: WireSession, _ id: RoomID, _ report: (Connection) -> Void) {
        let room = rooms[id] ?? LocalRoom(id: id)
        rooms[id] = room
        send(room, report)
        session.subscriptions.append(Subscription(room: room, index: room.add(session.connection)))
    }

    /// Removes a session. Events delivered earlier in this turn are still for it, so they are sent first.
    mutating func exit(_ session: WireSession, _ id: RoomID, _ report: (Connection) -> Void) {
        guard let position = session.subscriptions.firstIndex(where: { $0.room.id == id }) else { return }
        let subscription = session.subscriptions.remove(at: position)
        let room = subscription.room
        send(room, report)
        if let moved = room.remove(at: subscription.index)?.session,
            let place = moved.subscriptions.firstIndex(where: { $0.room === room })
        {
            moved.subscriptions[place].index = subscription.index
        }
        if room.subscribers.isEmpty { rooms[id] = nil }
    }

    // MARK: Events

    /// The size of one room's frames that are sent before the turn's end, well below a queue's capacity.
    private static let framesBytesMax = 64 * 1024

    /// Adds an event to the room's frames of this turn.
    ///
    /// - Parameters:
    ///   - event: the event's JSON, which is copied.
    ///   - report: called for each connection that must be dropped; it must not change the rooms.
    mutating func deliver(
        _ event: UnsafeRawBufferPointer, _ id: RoomID, deflater: Deflater?, _ report: (Connection) -> Void
    ) {
        guard let room = rooms[id] else { return }
        if room.eventCount == 0 {
            dirty.append(room)
            room.frames = spareBuffers.take()
        }
        room.eventCount += 1
        FrameEncoder.append(event, opcode: .text, to: &room.frames)
        if room.wantsCompressed, let deflater { appendCompressed(event, to: room, deflater) }
        if room.frames.count >= Self.framesBytesMax { send(room, report) }
    }

    private func appendCompressed(_ event: UnsafeRawBufferPointer, to room: LocalRoom, _ deflater: Deflater) {
        if (try? deflater.appendFrame(event, opcode: .text, to: &room.compressedFrames)) == nil {
            // Any message may be sent uncompressed (RFC 7692, section 6).
            FrameEncoder.append(event, opcode: .text, to: &room.compressedFrames)
        }
    }

    /// Sends a room's frames of this turn, before an answer that shows the room as it was after them.
    mutating func flush(_ id: RoomID, _ report: (Connection) -> Void) {
        if let room = rooms[id] { send(room, report) }
    }

    /// Sends all frames of this turn.
    ///
    /// - Parameter overflowed: called for each connection that must be dropped; it must not change the rooms.
    mutating func flush(_ overflowed: (Connection) -> Void) {
        for room in dirty { send(room, overflowed) }
        dirty.removeAll(keepingCapacity: true)
    }

    /// The deliveries since the last call.
    mutating func takeDelivered() -> (events: Int, bytes: Int) {
        defer { delivered = (0, 0) }
        return delivered
    }

    private mutating func send(_ room: LocalRoom, _ overflowed: (Connection) -> Void) {
        guard room.eventCount > 0 else { return }
        // Moved out of the room, which may get further frames during the send.
        var frames = room.frames
        let compressed = room.compressedFrames
        var (copy, compressedCopy) = (SharedCopy(), SharedCopy())
        delivered.events += room.eventCount * room.subscribers.count
        delivered.bytes += frames.count * room.subscribers.count
        room.frames = []
        room.compressedFrames = []
        room.eventCount = 0
        for index in room.descriptors.indices {
            let descriptor = room.descriptors[index]
            if directSends[descriptor] {
                let result: OfferResult
                if let tls = directSends.tls(descriptor) {
                    let outcome = frames.withUnsafeBytes { tls.write($0) }
                    if case .ok(frames.count) = outcome { continue }
                    result = room.subscribers[index].took(outcome, of: frames, &copy)
                } else {
                    let count = frames.withUnsafeBytes { bytes in
                        retryingInterrupts {
                            Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                        }
                    }
                    guard count != frames.count else { continue }
                    result = room.subscribers[index].took(Connection.SendResult(count), of: frames, &copy)
                }
                if result == .overflow { overflowed(room.subscribers[index]) }
            } else {
                let connection = room.subscribers[index]
                let result =
                    connection.usesDeflate
                    ? connection.deliver(compressed, &compressedCopy) : connection.deliver(frames, &copy)
                if result == .overflow { overflowed(connection) }
            }
        }
        spareBuffers.give(&frames)
    }
}
