package import GoHubCore

/// The conversation on the connection for subscriptions: bytes and times go in, bytes and events come out.
///
/// Subscriptions end with their connection, and the node subscribes again to what it still wants (`BusEvent.restored`).
/// So that many channels don't fill the server's memory for this client, no more than a bounded number are unconfirmed.
///
/// The shell receives (`receive`), takes events until there is none (`next`), and sends what there is to send
/// (`output`).
package struct SubscriptionDialogue: Sendable {
    package enum Event: Hashable, Sendable {
        /// The server is the primary. Nothing is subscribed to yet.
        case connected(RedisServer)
        /// What is published to these topics from now on is heard.
        case subscribed([ClusterTopic])
        /// A message, whose bytes `withPayload` lends until the next event.
        case message(ClusterTopic)
        /// The connection is of no use any more; close it. Nothing follows.
        case failed(RedisError)
    }

    private enum State: Sendable {
        /// To `open`, or to `ended`.
        case greeting(RedisGreeting)
        /// To `ended`.
        case open
        case ended
    }

    private let names: ChannelNames
    private let limits: RedisLimits
    private var state: State
    private var reader: RESPReader
    /// What there is to send. The shell sends and removes.
    package var output = RESPWriter()
    private var subscriptions: ChannelSubscriptions
    /// Topics to be reported, before anything that follows.
    private var confirmed: [ClusterTopic] = []
    /// Whether the reader's reply was read, but not taken.
    private var hasHeldReply = false
    private var payload: Range<Int>?
    /// The last sign of the server, or the first command since.
    private var quietSince: MonotonicTime
    private var isPinged = false
    private var failure: RedisError?

    /// Begins on a new connection.
    package init(
        _ introduction: RedisIntroduction, names: ChannelNames, limits: RedisLimits, now: MonotonicTime
    ) {
        self.names = names
        self.limits = limits
        reader = RESPReader(limits: limits.resp)
        state = .greeting(RedisGreeting(introduction, to: &output))
        subscriptions = ChannelSubscriptions(limits: limits)
        quietSince = now
    }

    // MARK: Inputs

    /// Lends memory to receive into (`RESPReader.receive`).
    @discardableResult
    package mutating func receive<Failure: Error>(
        now: MonotonicTime, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        let count = try reader.receive(body)
        if count > 0 { quietSince = now }
        return count
    }

    /// Subscribes; each topic is in a `subscribed` that follows, also if it was subscribed to already.
    package mutating func subscribe(_ topics: [ClusterTopic], now: MonotonicTime) {
        if case .ended = state { return }
        for topic in topics {
            guard !subscriptions.isFull else {
                return fail(
                    RedisError(
                        .limit,
                        "Redis: this node subscribes to more than \(limits.channelsMax) channels. Add nodes, so that "
                            + "each has fewer rooms and users."))
            }
            if subscriptions.want(topic, names.channel(of: topic)) { confirmed.append(topic) }
        }
        writeCommands(now)
    }

    package mutating func unsubscribe(_ topics: [ClusterTopic], now: MonotonicTime) {
        if case .ended = state { return }
        for topic in topics { subscriptions.drop(names.channel(of: topic)) }
        if !confirmed.isEmpty {
            let dropped = Set(topics)
            confirmed.removeAll { dropped.contains($0) }
        }
        writeCommands(now)
    }

    /// Whether what is published to the channel is heard, by the server's word.
    package func isSubscribed(to channel: [UInt8]) -> Bool { subscriptions.isConfirmed(channel) }

    /// Handles the end of the connection.
    package mutating func closed(_ error: RedisError = .ended) {
        if case .greeting = state, error == .ended { return fail(.endedEarly) }
        fail(error)
    }

    /// The time of the next `timerFired`; `nil` when the connection is over.
    package var deadline: MonotonicTime? {
        if case .ended = state { return nil }
        return quietSince + (isOwed ? limits.answerTimeout : limits.pingAfter)
    }

    package mutating func timerFired(now: MonotonicTime) {
        guard let deadline, deadline <= now else { return }
        guard !isOwed else { return fail(.late(awaited)) }
        output.command("PING")
        (isPinged, quietSince) = (true, now)
    }

    /// Whether the server owes a reply.
    private var isOwed: Bool {
        if case .greeting = state { return true }
        return isPinged || subscriptions.isUnconfirmed
    }

    private var awaited: RedisRequest {
        if case .greeting(let greeting) = state { return greeting.awaited }
        return switch subscriptions.awaited {
        case .subscribe: .subscribe
        case .unsubscribe: .unsubscribe
        case nil: .ping
        }
    }

    private mutating func writeCommands(_ now: MonotonicTime? = nil) {
        guard case .open = state else { return }
        let wasOwed = isOwed
        while let (change, channels) = subscriptions.nextCommand() {
            output.command(1 + channels.count)
            output.bulk(change == .subscribe ? "SUBSCRIBE" as StaticString : "UNSUBSCRIBE")
            for channel in channels { output.bulk(subscriptions.channel(channel)) }
        }
        if let now, !wasOwed, isOwed { quietSince = now }
    }

    // MARK: Events

    /// The next event; `nil` when there is none before more bytes come or the time passes.
    package mutating func next() -> Event? {
        payload = nil
        do throws(RedisError) {
            while try hasReply() {
                if let event = try takeReply() { return event }
            }
        } catch {
            fail(error)
        }
        if let event = takeConfirmed() { return event }
        defer { failure = nil }
        return failure.map { .failed($0) }
    }

    /// Lends the bytes of the last event, which was a `message`.
    package func withPayload<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try reader.withBytes(payload ?? 0..<0, body)
    }

    private mutating func hasReply() throws(RedisError) -> Bool {
        if case .ended = state { return false }
        guard !hasHeldReply else {
            hasHeldReply = false
            return true
        }
        do throws(RESPError) {
            return try reader.next()
        } catch {
            throw .malformed(error)
        }
    }

    private mutating func takeConfirmed() -> Event? {
        guard !confirmed.isEmpty else { return nil }
        defer { confirmed = [] }
        return .subscribed(confirmed)
    }

    private mutating func takeReply() throws(RedisError) -> Event? {
        if case .greeting(var greeting) = state {
            guard let server = try greeting.take(reader.value) else {
                state = .greeting(greeting)
                return nil
            }
            state = .open
            writeCommands()
            return .connected(server)
        }
        let tokens = reader.tokens
        switch tokens[0] {
        case .array(3):
            guard tokens.count == 4, case .bulk(let kind) = tokens[1], case .bulk(let channel) = tokens[2] else {
                throw .unexpected(awaited)
            }
            if reader.equals(kind, "message"), case .bulk(let payload) = tokens[3] {
                return takeMessage(channel, payload)
            }
            if reader.equals(kind, "subscribe") { return try takeConfirmation(.subscribe, channel) }
            if reader.equals(kind, "unsubscribe") { return try takeConfirmation(.unsubscribe, channel) }
            throw .unexpected(awaited)
        case .error(let place): throw RedisError(reply: reader.bytes(place), to: awaited)
        // The answer to PING, with subscriptions and without.
        case .array(2), .simple:
            guard isPinged else { throw .unexpected(awaited) }
            isPinged = false
            return nil
        default: throw .unexpected(awaited)
        }
    }

    private mutating func takeMessage(_ channel: Range<Int>, _ payload: Range<Int>) -> Event? {
        guard confirmed.isEmpty else {
            // The subscription came before its first message.
            hasHeldReply = true
            return takeConfirmed()
        }
        guard let topic = reader.withBytes(channel, { subscriptions.topic($0) }) else { return nil }
        self.payload = payload
        return .message(topic)
    }

    private mutating func takeConfirmation(
        _ change: ChannelSubscriptions.Change, _ channel: Range<Int>
    ) throws(RedisError) -> Event? {
        let topic = try Self.confirm(change, channel, reader, &subscriptions)
        if let topic { confirmed.append(topic) }
        writeCommands()
        return confirmed.count < limits.channelsPerCommandMax ? nil : takeConfirmed()
    }

    /// Static, because the subscriptions change while the reader lends the channel.
    private static func confirm(
        _ change: ChannelSubscriptions.Change, _ channel: Range<Int>, _ reader: RESPReader,
        _ subscriptions: inout ChannelSubscriptions
    ) throws(RedisError) -> ClusterTopic? {
        try reader.withBytes(channel) { (bytes) throws(RedisError) in try subscriptions.confirm(change, bytes) }
    }

    private mutating func fail(_ error: RedisError) {
        if case .ended = state { return }
        state = .ended
        failure = error
        (hasHeldReply, payload) = (false, nil)
        output = RESPWriter()
    }
}
