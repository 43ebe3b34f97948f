package import GoHubCore

/// The conversation with a Sentinel: which server is the primary, and then, on the same connection, the news that it is
/// another one. The news is only a shortcut: it isn't repeated, and whoever misses it asks before the next connection.
package struct SentinelDialogue: Sendable {
    package enum Event: Hashable, Sendable {
        /// The primary's address; `nil` if the Sentinel doesn't know the name.
        case answered(RedisAddress?)
        /// The Sentinel has made another server the primary.
        case switched(RedisAddress)
        /// The connection is of no use any more; close it. Nothing follows.
        case failed(RedisError)
    }

    private enum State: Sendable {
        /// To `asking`, or to `ended`.
        case authenticating(RedisCredentials)
        /// To `answered`, or to `ended`.
        case asking
        /// To `watching` with `watch`, or to `ended`.
        case answered
        /// To `ended`.
        case watching
        case ended
    }

    private let master: String
    private let limits: RedisLimits
    private var state: State
    private var reader: RESPReader
    /// What there is to send. The shell sends and removes.
    package var output = RESPWriter()
    private var quietSince: MonotonicTime
    /// Commands of `watch` without a reply.
    private var owed = 0
    private var failure: RedisError?

    /// Begins on a new connection, and asks.
    ///
    /// - Parameter master: the name that the Sentinels have for the primary.
    package init(
        master: String, credentials: RedisCredentials?, limits: RedisLimits, now: MonotonicTime
    ) {
        self.master = master
        self.limits = limits
        reader = RESPReader(limits: limits.resp)
        state = credentials.map { .authenticating($0) } ?? .asking
        quietSince = now
        if let credentials {
            if let user = credentials.user {
                output.command("AUTH", user, credentials.password)
            } else {
                output.command("AUTH", credentials.password)
            }
        }
        output.command("SENTINEL", "get-master-addr-by-name", master)
    }

    // MARK: Inputs

    /// Lends memory to receive into (`RESPReader.receive`).
    @discardableResult
    package mutating func receive<Failure: Error>(
        now: MonotonicTime, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        let count = try reader.receive(body)
        // An answer is short. A Sentinel that sends it in small parts is as late as one that doesn't.
        if count > 0, case .watching = state { quietSince = now }
        return count
    }

    /// Stays connected, and waits for news. Only after `answered`.
    package mutating func watch(now: MonotonicTime) {
        guard case .answered = state else { return }
        state = .watching
        output.command("SUBSCRIBE", "+switch-master")
        (owed, quietSince) = (1, now)
    }

    /// Handles the end of the connection.
    package mutating func closed(_ error: RedisError = .ended) {
        switch state {
        case .authenticating, .asking: fail(error == .ended ? .endedEarly : error)
        case .answered, .watching, .ended: fail(error)
        }
    }

    /// The time of the next `timerFired`; `nil` when the connection is over, or nothing is awaited.
    package var deadline: MonotonicTime? {
        switch state {
        case .authenticating, .asking: quietSince + limits.sentinelTimeout
        case .watching: quietSince + (owed > 0 ? limits.answerTimeout : limits.pingAfter)
        case .answered, .ended: nil
        }
    }

    package mutating func timerFired(now: MonotonicTime) {
        guard let deadline, deadline <= now else { return }
        guard case .watching = state, owed == 0 else { return fail(.late(awaited)) }
        output.command("PING")
        (owed, quietSince) = (1, now)
    }

    private var awaited: RedisRequest {
        switch state {
        case .authenticating(let credentials): .authenticate(credentials)
        case .watching: .ping
        case .asking, .answered, .ended: .primaryAddress
        }
    }

    // MARK: Events

    /// The next event; `nil` when there is none before more bytes come or the time passes.
    package mutating func next() -> Event? {
        do throws(RedisError) {
            while try hasReply() {
                if let event = try take(reader.value) { return event }
            }
        } catch {
            fail(error)
        }
        defer { failure = nil }
        return failure.map { .failed($0) }
    }

    private mutating func hasReply() throws(RedisError) -> Bool {
        if case .ended = state { return false }
        do throws(RESPError) {
            return try reader.next()
        } catch {
            throw .malformed(error)
        }
    }

    private mutating func take(_ reply: RESPValue) throws(RedisError) -> Event? {
        switch (state, reply) {
        case (_, .error(let text)):
            throw RedisError(reply: text, to: awaited)
        case (.authenticating, .simple):
            state = .asking
            return nil
        case (.asking, .null):
            state = .answered
            return .answered(nil)
        case (.asking, .array(let parts)):
            guard parts.count == 2, let address = Self.address(parts[0].text, parts[1].text) else {
                throw .unexpected(.primaryAddress)
            }
            state = .answered
            return .answered(address)
        case (.watching, .array(let parts)): return try takeNews(parts)
        default: throw .unexpected(awaited)
        }
    }

    /// News: `message`, the channel, and `name old-host old-port new-host new-port`.
    private mutating func takeNews(_ parts: [RESPValue]) throws(RedisError) -> Event? {
        switch parts.first?.text {
        case "subscribe", "pong":
            owed = max(0, owed - 1)
            return nil
        case "message":
            guard parts.count == 3, let news = parts[2].text else { throw .unexpected(.subscribe) }
            let words = news.split(separator: " ").map { String($0) }
            guard words.count == 5, words[0] == master else { return nil }
            return Self.address(words[3], words[4]).map { .switched($0) }
        default: throw .unexpected(.subscribe)
        }
    }

    private static func address(_ host: String?, _ port: String?) -> RedisAddress? {
        guard let host, let port = port.flatMap({ UInt16($0) }) else { return nil }
        return RedisAddress(host: host, port: port)
    }

    private mutating func fail(_ error: RedisError) {
        if case .ended = state { return }
        state = .ended
        failure = error
        output = RESPWriter()
    }
}
