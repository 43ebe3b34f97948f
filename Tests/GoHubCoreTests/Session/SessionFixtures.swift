import GoHubTestSupport

@testable import GoHubCore

/// One session and its client.
struct SessionFixture {
    var session: SessionStateMachine
    var now = MonotonicTime.ms(0)
    var wall: WallTime { .ms(Int64(clamping: now.nanoseconds / 1_000_000)) }

    static let unlimited = RateLimiter(.unlimited)

    init(context: SessionContext = SessionContext(limiter: Self.unlimited), credentials: Credentials? = nil) {
        session = SessionStateMachine(
            id: .number(1), context: context, address: "192.0.2.1", credentials: credentials, now: now, at: .ms(0))
    }

    /// A welcomed session of Alice's phone.
    static func active(
        context: SessionContext = SessionContext(limiter: unlimited), grants: Grants = .participant,
        expiresAt: WallTime? = nil
    ) -> SessionFixture {
        var fixture = SessionFixture(
            context: context, credentials: Credentials(user: .alice, grants: grants, expiresAt: expiresAt))
        _ = fixture.say(#"{"op":"hello","device":"phone"}"#)
        _ = fixture.receivedFromHub(.welcome)
        return fixture
    }

    /// The same, in the lobby.
    static func inLobby(
        context: SessionContext = SessionContext(limiter: unlimited), grants: Grants = .participant
    ) -> SessionFixture {
        var fixture = active(context: context, grants: grants)
        _ = fixture.say(#"{"op":"join","id":"j","room":"lobby"}"#)
        _ = fixture.receivedFromHub(.joined(Event.joined(head: 0, members: .alice)))
        return fixture
    }

    mutating func say(_ text: String) -> [SessionAction] {
        let (now, wall) = (now, wall)
        return Array(text.utf8).withUnsafeBytes { bytes in
            session.actions { $0.received(bytes, now: now, at: wall, into: &$1) }
        }
    }

    /// Sends a text to the lobby.
    mutating func type(_ text: String, id: String = "s") -> [SessionAction] {
        let (now, wall) = (now, wall)
        return session.actions {
            $0.received(.send(.init(id: .named(id), target: .room(.lobby), text: text)), now: now, at: wall, into: &$1)
        }
    }

    mutating func sayBytes(_ bytes: [UInt8]) -> [SessionAction] {
        let now = now
        return bytes.withUnsafeBytes { bytes in session.actions { $0.received(binary: bytes, now: now, into: &$1) } }
    }

    /// The file store's answer for a transfer.
    mutating func answered(_ transfer: UInt32, _ answer: TransferAnswer) -> [SessionAction] {
        let (now, wall) = (now, wall)
        return session.actions { $0.answered(.transferred(transfer, answer), now: now, at: wall, into: &$1) }
    }

    mutating func receivedFromHub(_ message: HubMessage) -> [SessionAction] {
        let (now, wall) = (now, wall)
        return session.actions { $0.receivedFromHub(message, now: now, at: wall, into: &$1) }
    }

    mutating func verified(_ result: Result<Credentials, TokenError>) -> [SessionAction] {
        let (now, wall) = (now, wall)
        return session.actions { $0.answered(.verified(result), now: now, at: wall, into: &$1) }
    }

    mutating func timer(at time: MonotonicTime) -> [SessionAction] {
        now = time
        return session.actions { $0.timerFired(now: time, into: &$1) }
    }
}

extension SessionAction {
    static func verify(token: String) -> SessionAction { .ask(.verify(token: token)) }

    static func transfer(_ transfer: UInt32, _ request: TransferRequest) -> SessionAction {
        .ask(.transfer(transfer, request))
    }

    static func error(_ id: String?, _ code: ErrorCode, _ message: String, wait: Milliseconds? = nil) -> SessionAction {
        .send(.error(id: id.map { .named($0) }, code: code, message: message, retryAfter: wait))
    }

    /// The append request for a text of Alice's in the lobby.
    static func published(
        _ text: String, id: String = "s", in room: RoomName = .lobby, at time: WallTime = .ms(0),
        replyTo: Offset? = nil, isEphemeral: Bool = false
    ) -> SessionAction {
        let draft = MessageDraft(
            room: RoomID(tenant: .standard, name: room), id: .named(id), from: Member(user: .alice), receivedAt: time,
            text: text, replyTo: replyTo)
        return .hub(.published(AppendRequest(requester: .session(1, id: id), draft: draft, isEphemeral: isEphemeral)))
    }
}
