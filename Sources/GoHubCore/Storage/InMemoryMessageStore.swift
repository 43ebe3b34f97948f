internal import Synchronization

/// Messages in memory: the newest of each room, lost with the process. For development, tests and embedders without
/// history.
///
/// Epochs are derived from the process's random seed. When a room is evicted, its history is lost and it gets a new
/// epoch.
public final class InMemoryMessageStore: ImmediateMessageStore {
    /// The capacity of the store.
    public struct Capacity: Hashable, Sendable {
        /// Rooms; the least recently used one is evicted.
        public var roomsMax: Int
        /// Messages of a room; the oldest are evicted.
        public var messagesPerRoomMax: Int
        /// Bytes of text of a room; the oldest messages are evicted.
        public var bytesPerRoomMax: Int
        /// Bytes of all messages; the least recently used rooms are evicted.
        public var bytesMax: Int
        /// Receipts of all rooms; those of the least recently used rooms are evicted.
        public var receiptsMax: Int
        /// Mutes and bans of all rooms; further ones are refused.
        public var sanctionsMax: Int

        /// Values below 1 count as 1. Bytes are those of texts, and approximately those of files and reactions.
        public init(
            roomsMax: Int = 10_000, messagesPerRoomMax: Int = 1_000, bytesPerRoomMax: Int = 1024 * 1024,
            bytesMax: Int = 256 * 1024 * 1024, receiptsMax: Int = 500_000, sanctionsMax: Int = 100_000
        ) {
            self.roomsMax = max(1, roomsMax)
            self.messagesPerRoomMax = max(1, messagesPerRoomMax)
            self.bytesPerRoomMax = max(1, bytesPerRoomMax)
            self.bytesMax = max(1, bytesMax)
            self.receiptsMax = max(1, receiptsMax)
            self.sanctionsMax = max(1, sanctionsMax)
        }
    }

    private struct State {
        var rooms: [RoomID: RoomHistory] = [:]
        /// The number of evictions of each room, which distinguishes its epochs. At most as many entries as rooms.
        var losses: [RoomID: UInt64] = [:]
        /// The number of times that `losses` was emptied, so that no epoch repeats.
        var generation: UInt64 = 0
        var clock: UInt64 = 0
        /// The bytes of all rooms' messages.
        var bytes = 0
        /// Separate from the histories, which every message touches.
        var receipts = ReceiptTable()
        /// They outlive the histories.
        var sanctions = SanctionTable()
    }

    private let capacity: Capacity
    private let seed: UInt64
    private let idHashMask: Int
    private let files: (any RoomFiles)?
    private let now: @Sendable () -> MonotonicTime
    private let state = Mutex(State())

    /// - Parameters:
    ///   - capacity: the bounds of the store.
    ///   - seed: distinguishes this store's epochs from those of any other run; random unless a test sets it.
    ///   - files: the files that messages may have; without it a message with files is refused.
    ///   - now: the clock by which mutes and bans end.
    public convenience init(
        capacity: Capacity = Capacity(), seed: UInt64 = .random(in: .min ... .max), files: (any RoomFiles)? = nil,
        now: @escaping @Sendable () -> MonotonicTime
    ) {
        self.init(capacity: capacity, seed: seed, idHashMask: -1, files: files, now: now)
    }

    /// - Parameter idHashMask: the bits of an id's hash that are used. A test removes some to force collisions.
    init(
        capacity: Capacity, seed: UInt64, idHashMask: Int, files: (any RoomFiles)? = nil,
        now: @escaping @Sendable () -> MonotonicTime
    ) {
        self.now = now
        self.capacity = capacity
        self.seed = seed
        self.idHashMask = idHashMask
        self.files = files
    }

    public func append(_ draft: MessageDraft) -> AppendOutcome {
        state.withLock { state in
            if state.bytes >= capacity.bytesMax { forgetOldest(&state, at: draft.receivedAt) }
            let room = state.rooms.index(forKey: draft.room) ?? makeRoom(draft, &state)
            state.clock += 1
            let (outcome, growth) = state.rooms.values[room].append(
                draft, usedAt: state.clock, capacity: capacity, idHashMask: idHashMask, files: files)
            state.bytes += growth
            return outcome
        }
    }

    /// Reading allocates no room, so that readers can't evict others' history.
    public func readHistory(_ request: HistoryRequest) -> HistoryPage {
        state.withLock { state in
            var page: HistoryPage
            if let room = state.rooms.index(forKey: request.room) {
                state.clock += 1
                page = state.rooms.values[room].page(request, usedAt: state.clock)
            } else {
                page = RoomHistory(epoch: epoch(request.room, state)).page(request)
            }
            if request.receiptsMax > 0 {
                page.receipts = state.receipts.list(request.room, max: request.receiptsMax)
            }
            if request.sanctionsMax > 0 {
                page.sanctions = state.sanctions.list(request.room, max: request.sanctionsMax, now: now())
                page.sanctionsVersion = state.sanctions.version(of: request.room)
            }
            return page
        }
    }

    public func saveReceipts(_ receipts: [ReceiptNote]) {
        state.withLock { state in
            for note in receipts {
                let known = state.rooms.index(forKey: note.room).map { state.rooms.values[$0].position }
                // A follower of a room without messages creates no history, so followers can't evict others' history. A
                // user who has nothing to note and leaves creates no receipt.
                guard
                    state.receipts.isKnown(note.user, in: note.room) || note.follows == true
                        || (known != nil && (note.follows == nil || note.receipt.delivered > 0))
                else { continue }
                let head = known ?? Position(epoch: epoch(note.room, state), offset: 0)
                guard head.epoch == note.epoch, note.receipt.delivered <= head.offset else { continue }
                if state.receipts.count >= capacity.receiptsMax, !state.receipts.isKnown(note.user, in: note.room) {
                    forgetReceipts(&state)
                }
                state.receipts.advance(note)
            }
        }
    }

    public func saveSanctions(_ sanctions: [SanctionNote]) -> [SanctionNote.Outcome] {
        let now = now()
        return state.withLock { state in
            sanctions.map { note in
                let outcome = state.sanctions.apply(note, totalMax: capacity.sanctionsMax, now: now)
                if case .ban = note.kind, outcome == .stored { state.receipts.endFollowing(note.user, note.room) }
                return outcome
            }
        }
    }

    public func readRooms(_ request: RoomsRequest) -> RoomsPage {
        let now = now()
        return state.withLock { state in
            let known = state.receipts.rooms(of: request.user)
                .filter { room in
                    request.opens(room.name) && request.after.map { RoomName.precedes($0, room.name) } ?? true
                        && !state.sanctions.isBanned(request.user.user, from: room, now: now)
                }
                .sorted { RoomName.precedes($0.name, $1.name) }
            var cut = PageBuilder<RoomsPage.Room>(request)
            for room in known {
                let history = state.rooms[room] ?? RoomHistory(epoch: epoch(room, state))
                let receipt = state.receipts.receipt(of: request.user.user, in: room)
                let entry = RoomsPage.Room(
                    room: room.name, head: history.position, receipt: receipt,
                    changes: history.changeCount(after: receipt.seen), last: history.newest)
                guard cut.take(entry) else { break }
            }
            return cut.page
        }
    }

    public func readHeads(_ known: [RoomHead]) -> [RoomHead] {
        state.withLock { state in
            known.compactMap { known in
                let position = state.rooms.index(forKey: known.room).map { state.rooms.values[$0].position }
                let stored = RoomHead(
                    room: known.room, position: position ?? Position(epoch: epoch(known.room, state), offset: 0),
                    sanctionsVersion: state.sanctions.version(of: known.room))
                return stored == known ? nil : stored
            }
        }
    }

    /// Removes the receipts of the least recently used tenth of the rooms.
    private func forgetReceipts(_ state: inout State) {
        let byUse = state.receipts.rooms.map { (room: $0, usedAt: state.rooms[$0]?.usedAt ?? 0) }
            .sorted { $0.usedAt < $1.usedAt }
        for (room, _) in byUse.prefix(max(1, byUse.count / 10)) { state.receipts.forget(room) }
    }

    private func makeRoom(_ draft: MessageDraft, _ state: inout State) -> Dictionary<RoomID, RoomHistory>.Index {
        let id = draft.room
        if state.rooms.count >= capacity.roomsMax { forgetOldest(&state, at: draft.receivedAt) }
        state.rooms[id] = RoomHistory(epoch: epoch(id, state))
        // It exists now; an index at the end would be a bug and traps where it is used.
        return state.rooms.index(forKey: id) ?? state.rooms.endIndex
    }

    /// The room's epoch, constant from the first look at the room to its eviction.
    private func epoch(_ id: RoomID, _ state: State) -> Epoch {
        Epoch(String(seed &+ state.generation &* 1_000_003 &+ (state.losses[id] ?? 0), radix: 36))
    }

    /// Evicts the least recently used tenth, so that one search serves many new rooms.
    private func forgetOldest(_ state: inout State, at time: WallTime) {
        let byUse = state.rooms.sorted { $0.value.usedAt < $1.value.usedAt }
        if state.losses.count >= capacity.roomsMax {
            state.losses = [:]
            state.generation += 1
        }
        for (id, room) in byUse.prefix(max(1, byUse.count / 10)) {
            state.rooms[id] = nil
            state.bytes -= room.weight
            state.receipts.forget(id)
            files?.release(room.heldFiles, at: time)
            state.losses[id, default: 0] += 1
        }
    }
}
