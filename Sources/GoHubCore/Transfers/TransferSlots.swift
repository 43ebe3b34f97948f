internal import Synchronization

/// The slots for concurrent transfers, of all sessions of a hub and of one user. With the window of each they bound the
/// bytes in memory that wait for the disk.
final class TransferSlots: Sendable {
    private struct Taken {
        var count = 0
        var byUser: [UserKey: Int] = [:]
    }

    private let max: Int
    private let perUserMax: Int
    private let taken = Mutex(Taken())

    init(max: Int, perUserMax: Int) {
        self.max = max
        self.perUserMax = perUserMax
    }

    /// - Returns: false when no slot is free.
    func take(_ user: UserKey) -> Bool {
        taken.withLock { taken in
            let count = taken.byUser[user] ?? 0
            guard taken.count < max, count < perUserMax else { return false }
            taken.count += 1
            taken.byUser[user] = count + 1
            return true
        }
    }

    func giveBack(_ user: UserKey) {
        taken.withLock { taken in
            guard let count = taken.byUser[user] else { return }
            taken.count -= 1
            taken.byUser[user] = count > 1 ? count - 1 : nil
        }
    }
}
