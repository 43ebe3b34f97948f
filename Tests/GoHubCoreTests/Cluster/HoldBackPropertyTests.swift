import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Rooms on a node, and entries that arrive in any order, twice, or never: compared with a model that remembers all.
struct HoldBackPropertyTests {
    /// A room as the store has it, and as its members see it.
    private struct ModelRoom {
        var epoch = 1
        var head: Offset = 0
        /// The history by epoch.
        var stored: [StoredMessage] = []
        var told: [StoredMessage] = []
        var hold: HoldBack
        /// On their way, perhaps twice. Entries of earlier epochs stay here, too.
        var underWay: [(entry: StoredMessage, epoch: Epoch)] = []
        /// The newest offset of this epoch that has arrived, by an entry or a hint.
        var heard: Offset = 0

        var position: Position { Position(epoch: Epoch("e\(epoch)"), offset: head) }
    }

    private static let entriesMax = 8
    private static let bytesMax = 4000
    private static let steps = 2000

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func membersGetEverythingInOrder(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var budget = HoldBudget(entriesMax: 12, bytesMax: 6000)
        var rooms = (0..<3).map { _ in
            ModelRoom(hold: HoldBack(entriesMax: Self.entriesMax, bytesMax: Self.bytesMax))
        }
        for _ in 0..<Self.steps {
            let index = Int(random.next() % 3)
            switch random.next() % 10 {
            case 0...3: commit(&rooms[index], &random)
            case 4...7: arrive(&rooms[index], &budget, &random)
            case 8: read(&rooms[index], &budget, &random)
            default: if random.once(in: 60) { begin(&rooms[index], &budget) } else { hint(&rooms[index], &random) }
            }
            check(rooms, budget, seed)
        }
        // Quiescence: reads alone, as long as something is known to be missing.
        for index in rooms.indices {
            let heard = rooms[index].heard
            while rooms[index].hold.missing(after: rooms[index].position) != nil {
                read(&rooms[index], &budget, &random)
            }
            drain(&rooms[index], &budget)
            #expect(rooms[index].head >= heard, "seed \(seed): nobody knows that entries up to \(heard) are missing")
            #expect(rooms[index].hold.isEmpty, "seed \(seed)")
        }
        check(rooms, budget, seed)
        #expect(budget.entries == 0 && budget.bytes == 0, "seed \(seed)")
    }

    private func check(_ rooms: [ModelRoom], _ budget: HoldBudget, _ seed: UInt64) {
        for room in rooms {
            #expect(room.told.map(\.offset) == Array(room.stored.prefix(room.told.count).map(\.offset)), "seed \(seed)")
            #expect(room.told.count == Int(room.head), "seed \(seed)")
            #expect(room.hold.count <= Self.entriesMax && room.hold.byteCount <= Self.bytesMax, "seed \(seed)")
            if let missing = room.hold.missing(after: room.position) {
                #expect(missing.lowerBound == room.head + 1, "seed \(seed)")
                #expect(missing.upperBound <= Offset(room.stored.count), "seed \(seed)")
            }
        }
        #expect(budget.entries == rooms.reduce(0) { $0 + $1.hold.count }, "seed \(seed)")
        #expect(budget.bytes == rooms.reduce(0) { $0 + $1.hold.byteCount }, "seed \(seed)")
        #expect(budget.entries <= budget.entriesMax && budget.bytes <= budget.bytesMax, "seed \(seed)")
    }

    // MARK: What happens

    private func commit(_ room: inout ModelRoom, _ random: inout SeededRandom) {
        let offset = Offset(room.stored.count) + 1
        let text = String(repeating: "x", count: Int(random.next() % 900))
        let kind: MessageContent.Kind =
            if offset > 1, random.once(in: 5) {
                .change(MessageChange(of: 1 + random.next() % (offset - 1), random.once(in: 2) ? .deleted : .edited))
            } else { .plain }
        let content = MessageContent(
            id: .named("m\(offset)"), from: Member(user: .alice), text: text, kind: kind)
        let entry = StoredMessage(offset: offset, at: .ms(0), content)
        room.stored.append(entry)
        // Lost, once, or twice.
        for _ in 0..<Int(random.next() % 3) { room.underWay.append((entry, room.position.epoch)) }
    }

    private func arrive(_ room: inout ModelRoom, _ budget: inout HoldBudget, _ random: inout SeededRandom) {
        guard let index = room.underWay.indices.suffix(12).randomElement(using: &random) else { return }
        let (entry, epoch) = room.underWay.remove(at: index)
        let outcome = room.hold.arrived(entry, epoch, head: room.position, budget: &budget)
        guard epoch == room.position.epoch else {
            #expect(outcome == .otherEpoch)
            return
        }
        room.heard = max(room.heard, entry.offset)
        switch outcome {
        case .next:
            #expect(entry.offset == room.head + 1)
            tell(entry, &room)
            drain(&room, &budget)
        case .isKnown: #expect(entry.offset <= room.head || !room.hold.isEmpty)
        case .held, .dropped: #expect(entry.offset > room.head + 1)
        case .otherEpoch: Issue.record("the entry is of the room's epoch")
        }
    }

    private func hint(_ room: inout ModelRoom, _ random: inout SeededRandom) {
        guard !room.stored.isEmpty else { return }
        let offset = 1 + random.next() % Offset(room.stored.count)
        let position = Position(epoch: room.position.epoch, offset: offset)
        #expect(room.hold.heardOf(position, head: room.position) == true)
        room.heard = max(room.heard, offset)
    }

    /// Reads a page behind the head, as long as a page is, and not only the hole.
    private func read(_ room: inout ModelRoom, _ budget: inout HoldBudget, _ random: inout SeededRandom) {
        guard room.hold.missing(after: room.position) != nil else { return }
        let page = room.stored.dropFirst(Int(room.head)).prefix(1 + Int(random.next() % 6))
        for entry in room.hold.amended(Array(page)) { tell(entry, &room) }
        drain(&room, &budget)
    }

    private func drain(_ room: inout ModelRoom, _ budget: inout HoldBudget) {
        while let entry = room.hold.takeNext(after: room.position, budget: &budget) { tell(entry, &room) }
    }

    private func tell(_ entry: StoredMessage, _ room: inout ModelRoom) {
        #expect(entry.offset == room.head + 1)
        room.told.append(entry)
        room.head = entry.offset
    }

    /// Another epoch: the members join again, at the beginning.
    private func begin(_ room: inout ModelRoom, _ budget: inout HoldBudget) {
        room.hold.removeAll(budget: &budget)
        (room.epoch, room.head, room.heard) = (room.epoch + 1, 0, 0)
        (room.stored, room.told) = ([], [])
    }
}
