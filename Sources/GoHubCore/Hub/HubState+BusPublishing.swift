/// What a shard tells other nodes: always after the store has it, and never as a condition of an answer.
///
/// The entries of a batch go out as one message a room, when all outcomes of the batch are handled.
struct BusOutbox: Sendable {
    /// Entries of one message; more of them are split.
    static let entriesMax = 256
    /// Bytes of the entries of one message; only a larger single entry exceeds them.
    static let bytesMax = 256 * 1024

    struct Batch: Sendable {
        var room: RoomID
        var entries: RoomEntries
        var bytes: Int
    }

    fileprivate var batches: [Batch] = []
    /// The last batch of each room.
    private var last: [RoomID: Int] = [:]

    mutating func add(_ entry: StoredMessage, _ epoch: Epoch, of room: RoomID) {
        let bytes = entry.content.weight
        if let index = last[room], batches[index].entries.epoch == epoch,
            batches[index].entries.entries.count < Self.entriesMax, batches[index].bytes + bytes <= Self.bytesMax
        {
            batches[index].entries.entries.append(entry)
            batches[index].bytes += bytes
        } else {
            last[room] = batches.count
            batches.append(Batch(room: room, entries: RoomEntries(epoch, [entry]), bytes: bytes))
        }
    }

    fileprivate mutating func take() -> [Batch] {
        guard !batches.isEmpty else { return [] }
        defer {
            batches.removeAll(keepingCapacity: true)
            last.removeAll(keepingCapacity: true)
        }
        return batches
    }
}

extension HubState {
    /// Publishes a message. Without a link nothing happens: the store tells the others.
    mutating func publish(
        _ message: ClusterMessage, to topic: ClusterTopic, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard bus.subscriptions.isLinked else { return }
        actions.append(.bus(.publish(message, to: topic, number: 0, at: bus.clock.next(now: now))))
    }

    /// Publishes to a room's nodes, or to those of the two users of a direct conversation.
    ///
    /// - Parameter direct: the message for a user's topic.
    mutating func publish(
        _ message: ClusterMessage, direct: (RoomName) -> ClusterMessage, in room: RoomID, now: MonotonicTime,
        into actions: inout [HubAction]
    ) {
        guard bus.subscriptions.isLinked else { return }
        guard let (first, second) = room.name.participants else {
            return publish(message, to: .room(room), now: now, into: &actions)
        }
        let message = direct(room.name)
        publish(message, to: .user(UserKey(tenant: room.tenant, user: first)), now: now, into: &actions)
        guard first != second else { return }
        publish(message, to: .user(UserKey(tenant: room.tenant, user: second)), now: now, into: &actions)
    }

    /// Notes an entry that this node has stored. It goes out with its batch (`publishEntries`).
    mutating func publishLater(_ entry: StoredMessage, _ epoch: Epoch, of room: RoomID) {
        if bus.subscriptions.isLinked { bus.outbox.add(entry, epoch, of: room) }
    }

    package mutating func publishEntries(now: MonotonicTime, into actions: inout [HubAction]) {
        for var batch in bus.outbox.take() {
            if let source = bus.presence[batch.room]?.source, !source.hasChanges {
                batch.entries.presence = source.version
            }
            let entries = batch.entries
            publish(
                .entries(entries), direct: { .direct($0, entries) }, in: batch.room, now: now, into: &actions)
        }
    }

    /// Publishes a moderator's action. A kick waits while the link is away, or returns.
    mutating func publish(
        _ sanction: Sanction, in room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        if claims != nil, !bus.subscriptions.isComplete, case .kick = sanction.kind, bus.kicks.count < BusLink.kicksMax
        {
            return bus.kicks.append((now, room, sanction))
        }
        publish(.moderated(sanction), to: .room(room), now: now, into: &actions)
    }

    mutating func publishKicks(now: MonotonicTime, into actions: inout [HubAction]) {
        for (at, room, sanction) in bus.kicks where now.since(at) <= BusLink.kickExpiry {
            publish(.moderated(sanction), to: .room(room), now: now, into: &actions)
        }
        bus.kicks = []
    }

    /// Tells that a room has entries up to a position, when it isn't known what the other nodes have heard of them.
    mutating func publishHead(
        _ position: Position, of room: RoomID, now: MonotonicTime, into actions: inout [HubAction]
    ) {
        guard !room.name.isDirect else { return }
        publish(.head(position), to: .room(room), now: now, into: &actions)
    }
}
