internal import Synchronization

/// A client inside the hub's own process: a bot, a bridge, or one side of a test.
///
/// Requests wait for their reply. All other events come through `next()`, in order and bounded: a client that doesn't
/// read them is closed like any slow consumer. A request may return while events from before its reply still wait for
/// `next()`.
public final class HubClient: Sendable {
    /// The reason why a request failed.
    public enum Failure: Error, Equatable, Sendable {
        /// The hub's error reply to the command.
        case refused(ErrorCode, message: String, retryAfter: Milliseconds?)
        /// The session has ended.
        case closed(CloseCode)
        /// The task was cancelled, or another request with the same id has no reply yet. A cancelled command may take
        /// effect nevertheless.
        case cancelled
    }

    fileprivate struct State {
        var requests: [CommandID: CheckedContinuation<Result<Event, Failure>, Never>] = [:]
        var welcome: CheckedContinuation<Result<Event, Failure>, Never>?
        var closeCode: CloseCode?
        var lastID: UInt64 = 0
        /// Weak, because the hub owns the pump.
        weak var hub: Hub?
        var session: SessionID?

        var connection: Hub.Connection? {
            guard let hub, let session else { return nil }
            return Hub.Connection(session: session, hub: hub)
        }
    }

    /// Passes replies to the requests that wait for them and all other events to the outbox.
    final class Pump: WritePump, Sendable {
        let outbox: Outbox
        fileprivate let state = Mutex(State())

        init(limits: Limits) {
            outbox = Outbox(limits: limits)
        }

        func offer(_ event: EncodedEvent) -> OfferResult {
            if case .ping = event.event {
                state.withLock { $0.connection }?.receive(.pong)
                return .accepted
            }
            let waiting = state.withLock { state -> CheckedContinuation<Result<Event, Failure>, Never>? in
                // Before `welcome`, any event is a reply to the `hello`.
                if let waiting = state.welcome {
                    state.welcome = nil
                    return waiting
                }
                return event.event.id.flatMap { state.requests.removeValue(forKey: $0) }
            }
            guard let waiting else { return outbox.offer(event) }
            waiting.resume(returning: .success(event.event))
            return .accepted
        }

        func close(_ code: CloseCode) {
            let waiting = state.withLock { state in
                state.closeCode = state.closeCode ?? code
                var waiting = Array(state.requests.values)
                state.requests = [:]
                if let welcome = state.welcome { waiting.append(welcome) }
                state.welcome = nil
                return waiting
            }
            for continuation in waiting { continuation.resume(returning: .failure(.closed(code))) }
            outbox.close(code)
        }
    }

    private let pump: Pump
    private let connection: Hub.Connection

    init(_ pump: Pump, _ connection: Hub.Connection) {
        self.pump = pump
        self.connection = connection
    }

    func begin(device: DeviceID?) async throws(Failure) -> HubClient {
        let result = await withCheckedContinuation { continuation in
            pump.state.withLock {
                $0.hub = connection.hub
                $0.session = connection.session
                $0.welcome = continuation
            }
            connection.receive(.hello(Command.Hello(device: device)))
        }
        if case .error(_, let code, let message, let retryAfter) = try result.get() {
            close()
            throw .refused(code, message: message, retryAfter: retryAfter)
        }
        return self
    }

    // MARK: Commands

    /// Joins a room.
    ///
    /// - Parameters:
    ///   - room: a plain room, or a direct conversation of the user.
    ///   - since: the client's last position. The result then contains all missed messages, or `recovered` is false.
    ///   - limit: without `since`, the number of newest messages in the result.
    @discardableResult
    public func join(_ room: RoomName, since: Position? = nil, limit: Int = 0) async throws(Failure) -> Event.Joined {
        let event = try await request { .join(Command.Join(id: $0, room: room, since: since, limit: limit)) }
        guard case .joined(let joined) = event else { throw unexpected(event) }
        return joined
    }

    /// Leaves a room. The user then no longer follows it.
    ///
    /// - Throws: `.refused(.notFound, …)` if the client isn't in the room; always for a direct conversation.
    public func leave(_ room: RoomName) async throws(Failure) {
        _ = try await request { .leave(id: $0, room: room) }
    }

    /// Sends a message and waits until it is stored.
    ///
    /// - Parameters:
    ///   - text: at most `Limits.textBytesMax` bytes of UTF-8. One that starts with a slash is a slash command.
    ///   - room: a room that the client has joined, or a direct conversation of the user.
    ///   - files: attached files of this room.
    ///   - id: the idempotency key; a retry with the same key is stored once.
    @discardableResult
    public func send(
        _ text: String, to room: RoomName, files: [FileReference] = [], id: CommandID? = nil
    ) async throws(Failure) -> Event.Ack {
        try await acknowledged(.room(room), text, files, id)
    }

    /// Sends a private message to all devices of a user and to the sender's own.
    @discardableResult
    public func whisper(
        _ text: String, to user: UserID, files: [FileReference] = [], id: CommandID? = nil
    ) async throws(Failure) -> Event.Ack {
        try await acknowledged(.user(user), text, files, id)
    }

    /// Replaces the text of one of the user's own messages.
    @discardableResult
    public func edit(
        _ offset: Offset, in room: RoomName, to text: String, id: CommandID? = nil
    ) async throws(Failure) -> Event.Ack {
        try await acknowledged(id) { .change(Command.Change(id: $0, room: room, of: offset, .edit(text))) }
    }

    /// Deletes one of the user's own messages, or as a moderator any message.
    @discardableResult
    public func delete(_ offset: Offset, in room: RoomName, id: CommandID? = nil) async throws(Failure) -> Event.Ack {
        try await acknowledged(id) { .change(Command.Change(id: $0, room: room, of: offset, .delete)) }
    }

    /// Adds or removes a reaction to a message.
    @discardableResult
    public func react(
        _ reaction: Reaction, to offset: Offset, in room: RoomName, removing: Bool = false, id: CommandID? = nil
    ) async throws(Failure) -> Event.Ack {
        try await acknowledged(id) {
            .change(Command.Change(id: $0, room: room, of: offset, .react(reaction, isRemoval: removing)))
        }
    }

    /// Reports the user's receipt in a room. The hub does not reply.
    public func note(_ receipt: Receipt, in room: RoomName) {
        connection.receive(.receipt(room: room, receipt))
    }

    /// The user's rooms: the plain rooms that the user follows, and the direct conversations with messages.
    ///
    /// - Parameters:
    ///   - after: only rooms with names after this one, in byte order; `nil` begins with the first.
    ///   - limit: the maximum number of rooms, up to `Limits.roomsListedMax`; `nil` for 50.
    public func rooms(after: RoomName? = nil, limit: Int? = nil) async throws(Failure) -> RoomsPage {
        let event = try await request { .rooms(id: $0, after: after, limit: limit) }
        guard case .rooms(_, let page) = event else { throw unexpected(event) }
        return page
    }

    /// A page of a room's history, oldest first.
    ///
    /// - Parameters:
    ///   - room: a room that the client has joined, or a direct conversation of the user.
    ///   - range: the newest entries, or those before or after an offset.
    ///   - limit: the maximum number of entries, up to `Limits.pageMessagesMax`.
    public func history(
        of room: RoomName, _ range: HistoryRange = .newest, limit: Int = 50
    ) async throws(Failure) -> HistoryPage {
        let event = try await request { .history(id: $0, room: room, range: range, limit: limit) }
        guard case .page(_, _, let page) = event else { throw unexpected(event) }
        return page
    }

    /// The users who are present in a room that the client has joined.
    public func members(of room: RoomName) async throws(Failure) -> Event.Members {
        let event = try await request { .who(id: $0, room: room) }
        guard case .members(_, _, let members) = event else { throw unexpected(event) }
        return members
    }

    /// Performs a slash command, and waits for its reply.
    ///
    /// - Parameters:
    ///   - text: the command as a user types it, such as `/kick bob`.
    ///   - room: the room in which it is typed.
    /// - Returns: the reply, such as `.notice` or `.members`; `.ack` if the command has sent a message.
    public func perform(_ text: String, in room: RoomName) async throws(Failure) -> Event {
        try await request { .send(Command.Send(id: $0, target: .room(room), text: text)) }
    }

    private func acknowledged(
        _ target: Command.Send.Target, _ text: String, _ files: [FileReference], _ id: CommandID?
    ) async throws(Failure) -> Event.Ack {
        try await acknowledged(id) { .send(Command.Send(id: $0, target: target, text: text, files: files)) }
    }

    private func acknowledged(
        _ id: CommandID?, _ command: (CommandID) -> Command
    ) async throws(Failure) -> Event.Ack {
        let event = try await request(id: id, command)
        guard case .ack(let ack) = event else { throw unexpected(event) }
        return ack
    }

    /// Performs any command that has a reply.
    package func request(
        id: CommandID? = nil, _ command: (CommandID) -> Command
    ) async throws(Failure) -> Event {
        let given = pump.state.withLock { state -> CommandID? in
            state.lastID += 1
            return id ?? CommandID("c\(state.lastID)")
        }
        guard let id = given else { throw .cancelled }
        let made = command(id)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let refusal = pump.state.withLock { state -> Failure? in
                    if let code = state.closeCode { return .closed(code) }
                    if Task.isCancelled || state.requests[id] != nil { return .cancelled }
                    state.requests[id] = continuation
                    return nil
                }
                if let refusal {
                    continuation.resume(returning: .failure(refusal))
                } else {
                    connection.receive(made)
                }
            }
        } onCancel: {
            pump.state.withLock { $0.requests.removeValue(forKey: id) }?.resume(returning: .failure(.cancelled))
        }
        let event = try result.get()
        if case .error(_, let code, let message, let retryAfter) = event {
            throw .refused(code, message: message, retryAfter: retryAfter)
        }
        return event
    }

    private func unexpected(_ event: Event) -> Failure {
        .refused(.internal, message: "unexpected reply \(event)", retryAfter: nil)
    }

    // MARK: Events

    /// The next event that isn't a reply; `nil` once the session has ended.
    public func next() async -> Event? {
        guard case .event(let event) = await pump.outbox.next() else { return nil }
        return event.event
    }

    /// The next message of any room; skips message changes and other events. `nil` once the session has ended.
    public func nextMessage() async -> StoredMessage? {
        while let event = await next() {
            switch event {
            case .message(_, let message), .directMessage(_, _, let message):
                if message.change == nil { return message }
            default: continue
            }
        }
        return nil
    }

    /// The close code of the session; `nil` while it is active.
    public var closeCode: CloseCode? { pump.state.withLock { $0.closeCode } }

    /// Ends the session.
    public func close() {
        connection.closed()
        pump.close(.normal)
    }
}
