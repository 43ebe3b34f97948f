@testable import GoHubCore

/// The store's list of what its hubs have stored in direct conversations.
final class SimulatedDirectNews {
    private var items: [(hub: Int, DirectNews.Item)] = []

    /// The number of items that are read again, as those of transactions that may have committed late.
    private static let overlap = 3

    var end: DirectNews.Cursor { DirectNews.Cursor("\(items.count)") }

    func note(_ batch: [AppendRequest], _ outcomes: [AppendOutcome], by hub: Int) {
        for (request, outcome) in zip(batch, outcomes) where request.draft.room.name.isDirect {
            switch outcome {
            case .stored(let position, _), .applied(let position, _, _), .attached(let position, _, _):
                let item = DirectNews.Item(
                    number: UInt64(items.count), room: request.draft.room, epoch: position.epoch,
                    offsets: position.offset...position.offset)
                items.append((hub, item))
            case .duplicate, .unchanged, .refused, .failed: break
            }
        }
    }

    /// What other hubs have listed.
    func read(after cursor: DirectNews.Cursor, by hub: Int) -> DirectNews {
        let start = max(0, (Int(cursor.text) ?? 0) - Self.overlap)
        return DirectNews(items: items[start...].filter { $0.hub != hub }.map(\.1), cursor: end)
    }
}
