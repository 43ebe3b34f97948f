internal import DequeModule
internal import Synchronization

/// Messages in memory: the newest of each room, gone with the process. For development, tests and embedders that
/// want no history.
///
/// Epochs are made from the process' random seed. When a room has to make way for others its history is lost, and its
/// next epoch says so.
public final class InMemoryMessageStore: MessageStore {
    /// What is kept.
    public struct Capacity: Hashable, Sendable {
        /// Rooms; the one unused for longest makes way.
        public var roomsMax: Int
        /// Messages of a room; the oldest make way.
        public var messagesPerRoomMax: Int
        /// Bytes of text of a room; the oldest make way.
        public var bytesPerRoomMax: Int
        /// Bytes of all messages; the rooms unused for longest make way.
        public var bytesMax: Int

        public init(
            roomsMax: Int = 10_000, messagesPerRoomMax: Int = 1_000, bytesPerRoomMax: Int = 1024 * 1024,
            bytesMax: Int = 256 * 1024 * 1024
        ) {
            self.roomsMax = max(1, roomsMax)
            self.messagesPerRoomMax = max(1, messagesPerRoomMax)
            self.bytesPerRoomMax = max(1, bytesPerRoomMax)
            self.bytesMax = max(1, bytesMax)
        }
    }

    private struct State {
        var rooms: [RoomID: RoomHistory] = [:]
        /// How often each room had to make way: tells the epochs of its lives apart. At most as many as there are rooms.
        var losses: [RoomID: UInt64] = [:]
        /// Counts the times that `losses` was emptied, so that no epoch comes twice.
        var generation: UInt64 = 0
        var clock: UInt64 = 0
        /// Of all rooms' messages.
        var bytes = 0
    }

    private let capacity: Capacity
    private let seed: UInt64
    private let state = Mutex(State())

    /// - Parameter seed: tells this store's epochs from those of any other run; a random number unless a test gives it.
    public init(capacity: Capacity = Capacity(), seed: UInt64 = .random(in: .min ... .max)) {
        self.capacity = capacity
        self.seed = seed
    }

    public func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        let outcomes = state.withLock { state in
            batch.map { draft in
                if state.bytes >= capacity.bytesMax { forgetOldest(&state) }
                var room = state.rooms.removeValue(forKey: draft.room) ?? makeRoom(draft.room, &state)
                let before = room.weight
                defer {
                    state.bytes += room.weight - before
                    state.rooms[draft.room] = room
                }
                touch(&room, &state)
                return room.append(draft, capacity: capacity)
            }
        }
        completion(outcomes)
    }

    /// Reading makes no room: whoever only looks at rooms can't push others' history out.
    public func read(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        let page = state.withLock { state in
            guard var room = state.rooms.removeValue(forKey: request.room) else {
                return RoomHistory(epoch: epoch(request.room, state)).page(request)
            }
            defer { state.rooms[request.room] = room }
            touch(&room, &state)
            return room.page(request)
        }
        completion(.success(page))
    }

    private func touch(_ room: inout RoomHistory, _ state: inout State) {
        state.clock += 1
        room.touch(state.clock)
    }

    private func makeRoom(_ id: RoomID, _ state: inout State) -> RoomHistory {
        if state.rooms.count >= capacity.roomsMax { forgetOldest(&state) }
        return RoomHistory(epoch: epoch(id, state))
    }

    /// The same from the first look at a room to its loss.
    private func epoch(_ id: RoomID, _ state: State) -> Epoch {
        Epoch(String(seed &+ state.generation &* 1_000_003 &+ (state.losses[id] ?? 0), radix: 36))
    }

    /// Forgets the tenth that was unused for longest, so that the search is paid once for many new rooms.
    private func forgetOldest(_ state: inout State) {
        let byUse = state.rooms.sorted { $0.value.usedAt < $1.value.usedAt }
        if state.losses.count >= capacity.roomsMax {
            state.losses = [:]
            state.generation += 1
        }
        for (id, room) in byUse.prefix(max(1, byUse.count / 10)) {
            state.rooms[id] = nil
            state.bytes -= room.weight
            state.losses[id, default: 0] += 1
        }
    }
}

/// One room's newest messages.
private struct RoomHistory {
    private struct Key: Hashable {
        var user: UserID
        var id: CommandID
    }

    private let epoch: Epoch
    private var head: Offset = 0
    private var messages: Deque<StoredMessage> = []
    private var bytes = 0
    private var offsets: [Key: Offset] = [:]
    private(set) var usedAt: UInt64 = 0

    init(epoch: Epoch) {
        self.epoch = epoch
    }

    mutating func append(_ draft: MessageDraft, capacity: InMemoryMessageStore.Capacity) -> AppendOutcome {
        let key = Key(user: draft.from.user, id: draft.id)
        if let offset = offsets[key], let first = message(at: offset) {
            return .duplicate(Position(epoch: epoch, offset: offset), at: first.at)
        }
        head += 1
        let message = StoredMessage(
            offset: head, id: draft.id, from: draft.from, at: draft.receivedAt, text: draft.text,
            replyTo: draft.replyTo)
        messages.append(message)
        offsets[key] = head
        bytes += message.text.utf8.count
        while messages.count > capacity.messagesPerRoomMax || bytes > capacity.bytesPerRoomMax,
            messages.count > 1, let oldest = messages.popFirst()
        {
            bytes -= oldest.text.utf8.count
            offsets[Key(user: oldest.from.user, id: oldest.id)] = nil
        }
        return .stored(Position(epoch: epoch, offset: head), at: message.at)
    }

    /// The texts, and about what the rest of the messages takes.
    var weight: Int { bytes + 256 * messages.count }

    func page(_ request: HistoryRequest) -> HistoryPage {
        let candidates: Deque<StoredMessage>.SubSequence
        let takesNewest: Bool
        switch request.range {
        case .newest: (candidates, takesNewest) = (messages[...], true)
        case .before(let offset): (candidates, takesNewest) = (messages[..<index(of: offset)], true)
        case .after(let offset):
            // Offset + 1 can't overflow: an offset at the end of its range is after every message.
            let first = offset == .max ? messages.endIndex : index(of: offset + 1)
            (candidates, takesNewest) = (messages[first...], false)
        }
        var bytesLeft = request.bytesMax
        var taken: [StoredMessage] = []
        func take(_ message: StoredMessage) -> Bool {
            guard taken.count < request.messagesMax else { return false }
            guard taken.isEmpty || message.text.utf8.count <= bytesLeft else { return false }
            bytesLeft -= message.text.utf8.count
            taken.append(message)
            return true
        }
        if takesNewest {
            _ = candidates.reversed().first { !take($0) }
            taken.reverse()
        } else {
            _ = candidates.first { !take($0) }
        }
        return HistoryPage(
            head: Position(epoch: epoch, offset: head), messages: taken, more: taken.count < candidates.count)
    }

    mutating func touch(_ clock: UInt64) {
        usedAt = clock
    }

    /// The index of the first message with at least this offset.
    private func index(of offset: Offset) -> Int {
        guard let first = messages.first?.offset, offset > first else { return messages.startIndex }
        return min(messages.endIndex, Int(clamping: offset - first))
    }

    private func message(at offset: Offset) -> StoredMessage? {
        guard let first = messages.first?.offset, offset >= first else { return nil }
        let index = Int(clamping: offset - first)
        return index < messages.count ? messages[index] : nil
    }
}
