internal import DequeModule
package import GoHubCore

/// The conversation on the connection for commands: bytes and times go in, bytes and events come out.
///
/// Messages are published without waiting for the answers to earlier ones, up to a bound. The answers come in order.
/// The server's role is looked at again and again: one that has become a replica goes on answering, and nobody hears
/// what it is told.
///
/// The shell receives (`receive`), takes events until there is none (`next`), and sends what there is to send
/// (`output`).
package struct CommandDialogue: Sendable {
    package enum Event: Hashable, Sendable {
        /// The server is the primary, and takes messages.
        case connected(RedisServer)
        /// The server has taken the message, and given it to as many subscribers.
        case published(number: UInt64, receivers: Int)
        /// The connection is of no use any more; close it. Nothing follows. Messages without `published` may or may not
        /// have been heard.
        case failed(RedisError)
    }

    package enum Offer: Hashable, Sendable {
        case accepted
        /// As many messages are in flight as there may be. Some event will be `published`; then try again.
        case full
        /// There is no connection.
        case closed
    }

    private enum State: Sendable {
        /// To `open`, or to `ended`.
        case greeting(RedisGreeting)
        /// To `ended`.
        case open
        case ended
    }

    /// A command whose reply hasn't come.
    private enum Pending: Sendable {
        case publish(number: UInt64, bytes: Int)
        case role
    }

    private let introduction: RedisIntroduction
    private let limits: RedisLimits
    private var state: State
    private var reader: RESPReader
    /// What there is to send. The shell sends and removes.
    package var output = RESPWriter()
    private var pending = Deque<Pending>()
    private var bytesInFlight = 0
    /// The last sign of the server, or the first command since, while it owes a reply; `nil` if it doesn't.
    private var waitingSince: MonotonicTime?
    private var roleDue: MonotonicTime
    private var failure: RedisError?

    /// Begins on a new connection.
    package init(_ introduction: RedisIntroduction, limits: RedisLimits, now: MonotonicTime) {
        self.introduction = introduction
        self.limits = limits
        reader = RESPReader(limits: limits.resp)
        state = .greeting(RedisGreeting(introduction, to: &output))
        waitingSince = now
        roleDue = now + limits.roleEvery
    }

    // MARK: Inputs

    /// Lends memory to receive into (`RESPReader.receive`).
    @discardableResult
    package mutating func receive<Failure: Error>(
        now: MonotonicTime, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        let count = try reader.receive(body)
        if count > 0, waitingSince != nil { waitingSince = now }
        return count
    }

    /// Publishes a message, unless too much is in flight.
    ///
    /// - Parameters:
    ///   - number: the caller's, for the event.
    ///   - payload: at most `RESPLimits.bulkBytesMax` bytes, because every subscriber has that bound.
    package mutating func publish(
        _ number: UInt64, to channel: [UInt8], _ payload: UnsafeRawBufferPointer, now: MonotonicTime
    ) -> Offer {
        guard case .open = state else { return .closed }
        precondition(payload.count <= limits.resp.bulkBytesMax, "the message is longer than its subscribers accept")
        let bytes = payload.count + channel.count
        // A single long message is accepted, whatever the bound.
        let isFull = bytesInFlight > 0 && bytesInFlight + bytes > limits.publishBytesInFlightMax
        guard !isFull, pending.count < limits.publishesInFlightMax else { return .full }
        output.command(3)
        output.bulk("PUBLISH" as StaticString)
        output.bulk(channel)
        output.bulk(payload)
        bytesInFlight += bytes
        expect(.publish(number: number, bytes: bytes), now)
        return .accepted
    }

    /// Handles the end of the connection.
    package mutating func closed(_ error: RedisError = .ended) {
        if case .greeting = state, error == .ended { return fail(.endedEarly) }
        fail(error)
    }

    /// The time of the next `timerFired`; `nil` when the connection is over.
    package var deadline: MonotonicTime? {
        if case .ended = state { return nil }
        let timeout = waitingSince.map { $0 + limits.answerTimeout }
        guard case .open = state else { return timeout }
        return min(roleDue, timeout ?? roleDue)
    }

    package mutating func timerFired(now: MonotonicTime) {
        if case .ended = state { return }
        if let waitingSince, waitingSince + limits.answerTimeout <= now { return fail(.late(awaited)) }
        guard case .open = state, roleDue <= now else { return }
        roleDue = now + limits.roleEvery
        output.command("ROLE")
        expect(.role, now)
    }

    private var awaited: RedisRequest {
        if case .greeting(let greeting) = state { return greeting.awaited }
        if case .publish = pending.first { return .publish }
        return .role
    }

    private mutating func expect(_ reply: Pending, _ now: MonotonicTime) {
        pending.append(reply)
        if waitingSince == nil { waitingSince = now }
    }

    // MARK: Events

    /// The next event; `nil` when there is none before more bytes come or the time passes.
    package mutating func next() -> Event? {
        do throws(RedisError) {
            while try hasReply() {
                if let event = try takeReply() { return event }
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

    private mutating func takeReply() throws(RedisError) -> Event? {
        if case .greeting(var greeting) = state {
            guard let server = try greeting.take(reader.value) else {
                state = .greeting(greeting)
                return nil
            }
            state = .open
            waitingSince = nil
            return .connected(server)
        }
        guard let answered = pending.popFirst() else {
            // A server that closes a connection may say why.
            if case .error(let place) = reader.tokens[0] { throw RedisError(reply: reader.bytes(place), to: .ping) }
            throw .unexpected(.ping)
        }
        if pending.isEmpty { waitingSince = nil }
        switch (answered, reader.tokens[0]) {
        case (.publish(let number, let bytes), .integer(let receivers)):
            bytesInFlight -= bytes
            return .published(number: number, receivers: Int(clamping: max(0, receivers)))
        case (.publish, .error(let place)): throw RedisError(reply: reader.bytes(place), to: .publish)
        case (.publish, _): throw .unexpected(.publish)
        case (.role, .error(let place)):
            // A server without the command was accepted at the greeting.
            guard introduction.acceptsUnknownRole else { throw RedisError(reply: reader.bytes(place), to: .role) }
        case (.role, _):
            guard let role = RedisServer.Role(reader.value) else { throw .unexpected(.role) }
            if let error = role.error(acceptsUnknown: introduction.acceptsUnknownRole) { throw error }
        }
        return nil
    }

    private mutating func fail(_ error: RedisError) {
        if case .ended = state { return }
        state = .ended
        (failure, waitingSince) = (error, nil)
        output = RESPWriter()
    }
}
