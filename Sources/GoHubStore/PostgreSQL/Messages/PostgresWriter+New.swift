internal import Glibc
internal import GoHubCore

/// The fast path for nearly every batch: none of its messages was stored before. No look-up is needed, the offsets
/// follow the heads, and the server has half of the work (`PostgresMigrations`).
extension PostgresWriter {
    /// Drafts and their rooms, in order of arrival.
    private struct NewDrafts {
        let drafts: [MessageDraft]
        private(set) var rooms: [RoomID] = []
        /// Each draft's room, and its rank among the drafts of that room. Both count from 1.
        private(set) var places: [(room: Int64, rank: Int64)] = []

        /// - Returns: `nil` for drafts that PostgreSQL can't store.
        init?(_ drafts: [MessageDraft]) {
            self.drafts = drafts
            places.reserveCapacity(drafts.count)
            var known: [RoomID: Int] = [:]
            var counts: [Int64] = []
            for draft in drafts {
                guard !Self.holdsZero(draft.text), !Self.holdsZero(draft.from.name) else { return nil }
                let room = known[draft.room] ?? rooms.count
                if room == rooms.count {
                    rooms.append(draft.room)
                    counts.append(0)
                    known[draft.room] = room
                }
                counts[room] += 1
                places.append((Int64(room) + 1, counts[room]))
            }
        }

        private static func holdsZero(_ text: String) -> Bool {
            // A string that isn't contiguous doesn't come from the wire. A null address means no bytes.
            text.utf8.withContiguousStorageIfAvailable { bytes in
                bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
            } ?? text.utf8.contains(0)
        }
    }

    /// - Returns: `nil`, with nothing stored, when a draft was stored before, repeats another one of the batch, or
    ///   can't be stored.
    func appendNew(
        _ drafts: [MessageDraft], _ connection: PostgresConnection, deadline: MonotonicTime
    ) throws(PostgresFailure) -> [AppendOutcome]? {
        guard let batch = NewDrafts(drafts) else { return nil }
        let rooms: [PostgresParameter] = [
            .texts(batch.rooms.map(\.tenant.value)), .texts(batch.rooms.map(\.name.value)),
        ]
        let parameters = MessageColumns.parameters(
            of: drafts,
            after: rooms + [
                .bigints(batch.places.lazy.map(\.room)), .bigints(batch.places.lazy.map(\.rank)),
                .bigint(settings.clock().milliseconds),
            ])
        let results = try connection.transaction(
            [
                .run(name: "make_rooms", rooms), .run(name: "lock_rooms", rooms),
                .run(name: "append_new", parameters),
            ] + directNews(of: drafts.lazy.map(\.room)), deadline: deadline)
        // There are as many results as commands.
        let (locked, answer) = (results[1], results[2])
        guard locked.rows == batch.rooms.count, answer.rows == 1 else { throw Self.lostRoom }
        guard answer.flag(0, 0) else { return nil }
        return try outcomes(of: batch, locked)
    }

    /// The offsets that the server has assigned, by the same sum.
    private func outcomes(
        of batch: NewDrafts, _ locked: PostgresResult
    ) throws(PostgresFailure) -> [AppendOutcome] {
        var heads = [Position?](repeating: nil, count: batch.rooms.count)
        for row in locked.each(RoomColumn.self) {
            guard let place = Int(exactly: row.integer(.place)), heads.indices.contains(place - 1) else {
                throw Self.lostRoom
            }
            heads[place - 1] = row.position(epoch: .epoch, offset: .head)
        }
        var outcomes: [AppendOutcome] = []
        outcomes.reserveCapacity(batch.drafts.count)
        for (draft, place) in zip(batch.drafts, batch.places) {
            guard let head = heads[Int(place.room) - 1] else { throw Self.lostRoom }
            // An overflow would have failed there.
            let position = Position(epoch: head.epoch, offset: head.offset &+ UInt64(place.rank))
            outcomes.append(.stored(position, at: draft.receivedAt))
        }
        return outcomes
    }
}
