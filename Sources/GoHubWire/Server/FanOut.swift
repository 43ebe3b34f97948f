internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// A room as seen by one loop: its subscribers on the loop, and the frames of this turn for all of them. Belongs to the
/// loop's thread.
final class LocalRoom {
    let id: RoomID
    /// Each event of the turn as a frame, plain, and compressed if a subscriber negotiated that.
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
/// gets it in one `send`.
///
/// ```
/// deliver ─► a frame behind the others of the room's turn
///             │ at the turn's end (`flush`); when they are 64 KiB; before anybody enters or leaves
///             ▼
///    for each subscriber: is the lane clear (`DirectSendTable`), so that nothing waits before these frames?
///      yes ─► send, straight from the room's array
///               all of it taken ─► done: no copy, no reference
///               a part          ─► the rest waits in the connection's queue; all who wait share one copy
///      no  ─► Connection.deliver: behind what waits there, with the client's own replies in one call where it can
///
///    more than a queue may hold ─► reported; the loop drops these clients when the room is through
/// ```
struct FanOut {
    private var rooms: [RoomID: LocalRoom] = [:]
    private var dirty: [LocalRoom] = []
    private var spareBuffers = BufferPool()
    private let directSends: DirectSendTable
    /// Events times their receivers, and their bytes, since the last call of `takeDelivered`.
    private var delivered = (events: 0, bytes: 0)

    /// - Parameter lanes: those of the loop to which all subscribers belong.
    init(_ directSends: DirectSendTable) {
        self.directSends = directSends
    }

    var roomCount: Int { rooms.count }
    var isIdle: Bool { dirty.isEmpty }
    /// The number of sends that the turn's events will take.
    var dueSends: Int { dirty.reduce(0) { $0 + ($1.eventCount > 0 ? $1.subscribers.count : 0) } }

    // MARK: Subscribers

    /// Events delivered earlier in this turn aren't for a session that enters, so they are sent first.
    mutating func enter(_ session: WireSession, _ id: RoomID, _ report: (Connection) -> Void) {
        let room = rooms[id] ?? LocalRoom(id: id)
        rooms[id] = room
        send(room, report)
        session.subscriptions.append(Subscription(room: room, index: room.add(session.connection)))
    }

    /// Events delivered before a session leaves are still for it.
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

    /// Bytes of one room after which a turn's frames are sent before its end, well below a queue's capacity.
    private static let framesBytesMax = 64 * 1024

    /// Adds an event to the room's frames of this turn.
    ///
    /// - Parameters:
    ///   - event: its JSON, which is copied.
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
        // Moved out of the room, which may get others while these are sent.
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
