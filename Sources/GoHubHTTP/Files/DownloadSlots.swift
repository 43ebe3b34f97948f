internal import GoHubCore
internal import Synchronization

/// The slots for concurrent downloads: in total, of one user and from one address. Each has an open file.
///
/// Nobody may have more slots than are free: as they fill, each may have fewer, and a user without any gets one as long
/// as one is free. (Dynamic thresholds, as in `QueueLedger`.)
public final class DownloadSlots: Sendable {
    /// Each 1 or more.
    public struct Bounds: Sendable {
        /// The maximum in total.
        public var max: Int
        /// The maximum of one user, on all devices.
        public var perUserMax: Int
        /// The maximum from one address, as counted by limits; includes downloads by link, which have no user.
        public var perAddressMax: Int

        /// Has the daemon's defaults.
        public init(max: Int = 256, perUserMax: Int = 16, perAddressMax: Int = 64) {
            self.max = max
            self.perUserMax = perUserMax
            self.perAddressMax = perAddressMax
        }
    }

    /// Holds a slot until it is released.
    final class Place: Sendable {
        private let leave: @Sendable () -> Void

        fileprivate init(leave: @escaping @Sendable () -> Void) {
            self.leave = leave
        }

        deinit {
            leave()
        }
    }

    private enum Holder: Hashable {
        case user(UserKey)
        case address(String)
    }

    private struct Taken {
        var count = 0
        var byHolder: [Holder: Int] = [:]
    }

    private let bounds: Bounds
    private let taken = Mutex(Taken())

    init(_ bounds: Bounds) {
        self.bounds = bounds
    }

    /// - Parameters:
    ///   - user: `nil` for a download by a link.
    ///   - address: as counted by limits; `nil` if unknown.
    /// - Throws: `FileError.busy` when no slot is free, `downloadsQuota` when the user or the address has its share.
    func take(user: UserKey?, address: String?) throws(FileError) -> Place {
        let holders = [user.map { Holder.user($0) }, address.map { .address($0) }].compactMap { $0 }
        let refusal = taken.withLock { taken -> FileError? in
            let free = bounds.max - taken.count
            guard free > 0 else { return .busy }
            for holder in holders {
                guard taken.byHolder[holder, default: 0] < min(max(of: holder), free) else { return .downloadsQuota }
            }
            taken.count += 1
            for holder in holders { taken.byHolder[holder, default: 0] += 1 }
            return nil
        }
        if let refusal { throw refusal }
        return Place { [self] in giveBack(holders) }
    }

    private func max(of holder: Holder) -> Int {
        switch holder {
        case .user: bounds.perUserMax
        case .address: bounds.perAddressMax
        }
    }

    private func giveBack(_ holders: [Holder]) {
        taken.withLock { taken in
            taken.count -= 1
            for holder in holders {
                guard let count = taken.byHolder[holder] else { continue }
                taken.byHolder[holder] = count > 1 ? count - 1 : nil
            }
        }
    }
}
