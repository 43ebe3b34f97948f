internal import DequeModule
package import GoHubCore

/// A node's link to the bus on Redis: which connections there are, and what is said on them. A value without sockets.
///
/// The link is up (`restored`) when both connections are with the same primary. It is lost as a whole: when one
/// connection fails, both end, and the node hears `lost`. Then it is made anew, wherever the primary is.
///
/// The shell does what `next` asks, receives into the connections' memory, sends their output, and calls `timerFired`
/// at `deadline`. After `close`, and after another `dial` of the same connection, it reports nothing more of the old
/// one.
package struct RedisLink: Sendable {
    package enum Connection: Hashable, Sendable, CaseIterable {
        case commands
        case subscriptions
        /// With the Sentinel that was asked last.
        case sentinel
    }

    package enum Action: Hashable, Sendable {
        /// Look up the host, connect, and make TLS: `dialled` or `closed`. Ends an earlier connection of this kind.
        case dial(Connection, RedisAddress)
        case close(Connection)
        case report(BusEvent)
        case note(Note)
    }

    /// What the operator may want to know: for the log, metrics, and the node's status.
    package enum Note: Hashable, Sendable {
        /// The run id is the bus's identity (`NodeStatus.busID`).
        case connected(RedisAddress, RedisServer)
        /// The link is lost, or an attempt has failed.
        case lost(RedisError)
        case sentinelFailed(RedisAddress, RedisError)
        /// A frame of somebody was ignored.
        case ignored(FrameError)
        /// A message of this node is longer than a frame may be, and was not sent.
        case tooLong
    }

    struct Waiting: Sendable {
        let number: UInt64
        let channel: [UInt8]
        let frame: [UInt8]
    }

    let own: NodeIncarnation
    let location: RedisLocation
    let introduction: RedisIntroduction
    let names: ChannelNames
    let limits: RedisLimits
    /// Spreads the attempts of several nodes.
    let random: @Sendable () -> UInt64

    var codec: FrameCodec
    var search: PrimarySearch
    var commands: CommandDialogue?
    var subscriptions: SubscriptionDialogue?
    var sentinel: SentinelDialogue?
    var actions = Deque<Action>()

    /// The server of the connections that are made or there.
    var target: RedisAddress?
    /// What the server has said of itself, on each connection; they must agree.
    var greeted: (commands: RedisServer?, subscriptions: RedisServer?)
    package internal(set) var isUp = false
    /// The Sentinel that is asked, until it has answered.
    var asked: RedisAddress?
    /// For each message in flight, whether this node is one of its receivers.
    var countsOwn = Deque<Bool>()
    /// Messages that wait for those in flight.
    var backlog = Deque<Waiting>()
    var backlogBytes = 0

    /// The end of the search's wait.
    var waitDue: MonotonicTime?
    var connectDue: MonotonicTime?
    var askDue: MonotonicTime?
    var recheckDue: MonotonicTime?
    /// When the first message to all was published that hasn't come back.
    var echoSince: MonotonicTime?

    /// Begins with `timerFired`.
    ///
    /// - Parameters:
    ///   - own: this node in this life.
    ///   - name: for the server's list of clients.
    ///   - codec: with the names of the cluster's channels.
    ///   - random: a number with all bits random at each call.
    package init(
        own: NodeIncarnation, name: String, location: RedisLocation, names: ChannelNames, codec: FrameCodec,
        limits: RedisLimits, now: MonotonicTime, random: @escaping @Sendable () -> UInt64
    ) {
        self.own = own
        self.location = location
        var acceptsUnknownRole = true
        if case .sentinels = location.place { acceptsUnknownRole = false }
        introduction = RedisIntroduction(
            credentials: location.credentials, name: name, acceptsUnknownRole: acceptsUnknownRole)
        self.names = names
        self.codec = codec
        self.limits = limits
        self.random = random
        search = PrimarySearch(location.place, limits: limits, now: now)
        waitDue = now
    }

    // MARK: Requests of the node

    /// Answered by `subscribed`, unless the link is lost before. Ignored while there is no link.
    package mutating func subscribe(_ topics: [ClusterTopic], now: MonotonicTime) {
        guard isUp else { return }
        subscriptions?.subscribe(topics, now: now)
    }

    package mutating func unsubscribe(_ topics: [ClusterTopic], now: MonotonicTime) {
        guard isUp else { return }
        subscriptions?.unsubscribe(topics, now: now)
    }

    /// Answered by `published`, unless the link is lost before. Ignored while there is no link.
    package mutating func publish(
        _ message: ClusterMessage, to topic: ClusterTopic, number: UInt64, at time: HybridTime, now: MonotonicTime
    ) {
        guard isUp else { return }
        do throws(FrameError) {
            try publish(ClusterFrame(from: own, time: time, topic: topic, message), number, now)
        } catch {
            // Who misses the entries reads them. Of other messages none is that long.
            guard case .entries(let entries) = message, let last = entries.entries.last else {
                actions.append(.note(.tooLong))
                return actions.append(.report(.published(number: number, receivers: nil)))
            }
            let head = ClusterMessage.head(Position(epoch: entries.epoch, offset: last.offset))
            try? publish(ClusterFrame(from: own, time: time, topic: topic, head), number, now)
        }
    }

    private mutating func publish(
        _ frame: ClusterFrame, _ number: UInt64, _ now: MonotonicTime
    ) throws(FrameError) {
        let channel = names.channel(of: frame.topic)
        let bytes = try codec.encode(frame, for: channel)
        if frame.topic == .all, echoSince == nil, subscriptions?.isSubscribed(to: channel) == true { echoSince = now }
        // The order is kept: nothing overtakes what waits.
        if backlog.isEmpty, offer(number, channel, bytes, now) { return }
        backlogBytes += channel.count + bytes.count
        backlog.append(Waiting(number: number, channel: channel, frame: bytes))
    }

    /// Sends what waits, as far as the bound of what is in flight allows.
    mutating func sendBacklog(_ now: MonotonicTime) {
        while let first = backlog.first, offer(first.number, first.channel, first.frame, now) {
            _ = backlog.popFirst()
            backlogBytes -= first.channel.count + first.frame.count
        }
    }

    /// - Returns: whether the message is in flight.
    private mutating func offer(
        _ number: UInt64, _ channel: [UInt8], _ frame: [UInt8], _ now: MonotonicTime
    ) -> Bool {
        let offer = frame.withUnsafeBytes { commands?.publish(number, to: channel, $0, now: now) ?? .closed }
        guard offer == .accepted else { return false }
        countsOwn.append(subscriptions?.isSubscribed(to: channel) == true)
        return true
    }

    /// The run ids of the other nodes' servers, by their rows, with repetitions; after each reading of the registry.
    package mutating func compare(with others: [String], now: MonotonicTime) {
        guard isUp, let runID = greeted.commands?.runID else { return }
        perform(search.compared(own: runID, others: others, now: now, random: random()), now)
    }

    /// Gives the link up, for a reason of this node, and makes it anew.
    package mutating func giveUp(_ error: RedisError, now: MonotonicTime) { lose(error, now) }

    /// Whether every message of the node is answered.
    package var isIdle: Bool { countsOwn.isEmpty && backlog.isEmpty }
}
