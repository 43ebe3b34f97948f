internal import DequeModule
internal import GoHubCore

/// Which channels a connection is subscribed to, and which it should be: the difference becomes commands.
///
/// A channel that is wanted, dropped and wanted again before the server has confirmed anything costs no more commands
/// than needed, and is reported as subscribed only when the last of them is confirmed.
struct ChannelSubscriptions: Sendable {
    enum Change: Hashable, Sendable {
        case subscribe
        case unsubscribe
    }

    private struct Channel: Sendable {
        let topic: ClusterTopic
        var isWanted = true
        /// By the last command that was sent, confirmed or not.
        var isSubscribed = false
        /// Whether it is in `queue`.
        var isQueued = false
        /// Commands without confirmation.
        var inFlight = 0
    }

    private let limits: RedisLimits
    private var channels = ChannelTable<Channel>()
    /// Channels for which a command may be needed.
    private var queue = Deque<Int>()
    /// Changes that were sent, in their order, which is also that of the confirmations.
    private var unconfirmed = Deque<(index: Int, change: Change)>()
    /// Whether the bound of `unconfirmed` was reached, and half of it isn't yet.
    private var isHeld = false

    init(limits: RedisLimits) {
        self.limits = limits
    }

    var count: Int { channels.count }
    var isFull: Bool { channels.count >= limits.channelsMax }
    var isUnconfirmed: Bool { !unconfirmed.isEmpty }
    /// Whether the next confirmation is of a subscription.
    var awaited: Change? { unconfirmed.first?.change }

    // MARK: Wishes

    /// - Returns: whether the channel is subscribed to already, and confirmed.
    mutating func want(_ topic: ClusterTopic, _ channel: [UInt8]) -> Bool {
        let index = channels.find(channel) ?? channels.insert(channel, Channel(topic: topic))
        channels.update(index) { $0.isWanted = true }
        guard let known = channels[index] else { return false }
        if known.isSubscribed { return known.inFlight == 0 }
        enqueue(index)
        return false
    }

    mutating func drop(_ channel: [UInt8]) {
        guard let index = channels.find(channel) else { return }
        channels.update(index) { $0.isWanted = false }
        enqueue(index)
    }

    private mutating func enqueue(_ index: Int) {
        guard channels[index]?.isQueued == false else { return }
        channels.update(index) { $0.isQueued = true }
        queue.append(index)
    }

    // MARK: Commands

    /// The next command: one change of several channels. It counts as sent. `nil` when nothing has to change, or enough
    /// is unconfirmed.
    mutating func nextCommand() -> (change: Change, channels: [Int])? {
        // Half of the bound at a time: otherwise each confirmation would be followed by a command for one channel.
        if unconfirmed.count >= limits.channelsInFlightMax { isHeld = true }
        if unconfirmed.count <= limits.channelsInFlightMax / 2 { isHeld = false }
        var change: Change?
        var chosen: [Int] = []
        while !isHeld, chosen.count < limits.channelsPerCommandMax, unconfirmed.count < limits.channelsInFlightMax,
            let index = queue.first
        {
            guard let channel = channels[index], channel.isWanted != channel.isSubscribed else {
                _ = queue.popFirst()
                channels.update(index) { $0.isQueued = false }
                removeIfOver(index)
                continue
            }
            let needed: Change = channel.isWanted ? .subscribe : .unsubscribe
            guard change == nil || change == needed else { break }
            change = needed
            _ = queue.popFirst()
            channels.update(index) {
                $0.isQueued = false
                $0.isSubscribed = needed == .subscribe
                $0.inFlight += 1
            }
            unconfirmed.append((index, needed))
            chosen.append(index)
        }
        return change.map { ($0, chosen) }
    }

    func channel(_ index: Int) -> [UInt8] { channels.channel(index) }

    /// Whether the channel is subscribed to, by the server's word.
    func isConfirmed(_ channel: [UInt8]) -> Bool {
        guard let known = channels.find(channel).flatMap({ channels[$0] }) else { return false }
        return known.isSubscribed && known.inFlight == 0
    }

    // MARK: Confirmations and messages

    /// Takes a confirmation.
    ///
    /// - Returns: the topic, if it is subscribed to from now on.
    /// - Throws: `RedisError` for a confirmation of another change than the next one.
    mutating func confirm(_ change: Change, _ name: UnsafeRawBufferPointer) throws(RedisError) -> ClusterTopic? {
        guard let next = unconfirmed.popFirst(), next.change == change, channels.find(name) == next.index else {
            throw .unexpected(change == .subscribe ? .subscribe : .unsubscribe)
        }
        channels.update(next.index) { $0.inFlight -= 1 }
        guard let channel = channels[next.index], channel.inFlight == 0 else { return nil }
        if channel.isSubscribed { return channel.isWanted ? channel.topic : nil }
        removeIfOver(next.index)
        return nil
    }

    private mutating func removeIfOver(_ index: Int) {
        guard let channel = channels[index], !channel.isWanted, !channel.isSubscribed, !channel.isQueued,
            channel.inFlight == 0
        else { return }
        channels.remove(index)
    }

    /// The topic of a message's channel; `nil` if nobody wants it any more.
    func topic(_ channel: UnsafeRawBufferPointer) -> ClusterTopic? {
        guard let index = channels.find(channel), let channel = channels[index], channel.isWanted else { return nil }
        return channel.topic
    }
}
