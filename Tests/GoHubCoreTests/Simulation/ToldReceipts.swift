import GoHubTestSupport

@testable import GoHubCore

/// The receipts that clients were told. None may go back, even if the hub is killed.
struct ToldReceipts {
    private struct Key: Hashable {
        var room: RoomName
        var epoch: Epoch
        var user: UserID
    }

    private typealias Told = [Key: Receipt]

    /// From the rooms' owners.
    private var byHub: Told = [:]
    /// From the store, which may be ahead of its hub, but not of the next hub.
    private var byStore: Told = [:]
    /// The receipts known when a command was sent.
    private var floors: [CommandID: (byHub: Told, byStore: Told)] = [:]

    mutating func asked(_ id: CommandID) {
        floors[id] = (byHub, byStore)
    }

    mutating func hubCrashed() {
        byHub.merge(byStore, uniquingKeysWith: Self.further)
    }

    /// - Returns: the first violation, or `nil` if there is none.
    mutating func note(_ event: Event, to user: UserID) -> Violation? {
        switch event {
        case .joined(let joined):
            defer { add(joined.receipts, joined.room, joined.head.epoch) }
            let floor = floors[joined.id]?.byHub ?? [:]
            for (key, known) in floor where key.room == joined.room && key.epoch == joined.head.epoch {
                let receipt = joined.receipts.first { $0.user == key.user }?.receipt ?? Receipt()
                if Self.further(known, receipt) != receipt {
                    return Violation(.receipts, "\(key) was \(known), and is \(receipt) in \(joined)")
                }
            }
        case .rooms(let id, let page):
            let floor = floors[id]
            for room in page.rooms {
                let key = Key(room: room.room, epoch: room.head.epoch, user: user)
                for known in [floor?.byHub[key], floor?.byStore[key]].compactMap(\.self)
                where Self.further(known, room.receipt) != room.receipt {
                    return Violation(.receipts, "\(key) was \(known), and is \(room.receipt) in \(page)")
                }
                byStore[key] = Self.further(byStore[key] ?? Receipt(), room.receipt)
            }
        default: break
        }
        return nil
    }

    /// Receipts of a room that the client has joined in this epoch.
    mutating func add(_ receipts: [UserReceipt], _ room: RoomName, _ epoch: Epoch) {
        for entry in receipts {
            let key = Key(room: room, epoch: epoch, user: entry.user)
            byHub[key] = Self.further(byHub[key] ?? Receipt(), entry.receipt)
        }
    }

    private static func further(_ left: Receipt, _ right: Receipt) -> Receipt {
        var receipt = left
        receipt.advance(to: right)
        return receipt
    }
}
