@testable import GoHubCore

/// A room's messages as a client keeps them by `Docs/Protocol.md`: from pages, with changes applied.
struct FoldedHistory {
    private struct Held {
        var message: StoredMessage
        /// The offset up to which changes are applied.
        var standsAt: Offset
    }

    private var messages: [Offset: Held] = [:]

    /// Applies an answer.
    mutating func take(_ entries: [StoredMessage], at head: Offset) {
        for entry in entries {
            if entry.change != nil {
                take(entry)
            } else if messages[entry.offset].map({ $0.standsAt < head }) ?? true {
                messages[entry.offset] = Held(message: entry, standsAt: head)
            }
        }
    }

    /// Applies a message or change event.
    mutating func take(_ entry: StoredMessage) {
        guard let change = entry.change else {
            messages[entry.offset] = Held(message: entry, standsAt: entry.offset)
            return
        }
        guard let held = messages[change.target], entry.offset > held.standsAt else { return }
        messages[change.target] = Held(message: held.message.amended(by: entry), standsAt: entry.offset)
    }

    /// - Returns: the first difference from the store, or `nil` if there is none.
    func problem(against stored: [StoredMessage]) -> String? {
        let stored = Dictionary(stored.map { ($0.offset, $0) }) { first, _ in first }
        for (offset, held) in messages.sorted(by: { $0.key < $1.key }) {
            guard let message = stored[offset] else { return "\(offset) is not in the store" }
            if message != held.message {
                return "\(offset) is \(held.message.text) \(held.message.content.kind), in the store \(message.text) "
                    + "\(message.content.kind)"
            }
        }
        return nil
    }
}
