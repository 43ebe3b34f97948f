import GoHubTestSupport
import Testing

@testable import GoHubCore

struct SessionHelloTests {
    private let alice = Credentials(user: .alice, expiresAt: .ms(60_000))
    private let key = SessionKey.of(.alice)
    private let connected = SessionAction.hub(.connected(.number(1), .of(.alice)))

    // MARK: With tokens

    @Test func verifiedTokenIsWelcomed() {
        var fixture = SessionFixture()
        #expect(fixture.say(#"{"op":"hello","token":"t","device":"phone"}"#) == [.verify(token: "t")])
        #expect(fixture.verified(.success(alice)) == [connected])
        #expect(!fixture.session.isActive)
        let welcome = fixture.receivedFromHub(.welcome)
        guard case .send(.welcome(let told))? = welcome.first, welcome.count == 1 else {
            Issue.record("no welcome: \(welcome)")
            return
        }
        #expect(told.session == ClusterSessionID(node: fixture.session.context.incarnation, session: .number(1)))
        #expect(told.user == .alice)
        #expect(told.device == .phone)
        #expect(told.expiresAt == .ms(60_000))
        #expect(told.limits.commandsPerMinute == 0, "no limit")
        #expect(fixture.session.isActive)
    }

    @Test func handshakeCredentialsNeedNoToken() {
        var fixture = SessionFixture(credentials: alice)
        #expect(fixture.say(#"{"op":"hello","device":"phone"}"#) == [connected])
    }

    @Test func missingDeviceIsGenerated() {
        var fixture = SessionFixture(credentials: alice)
        let device = DeviceID.named("d-\(fixture.session.context.incarnation)-0-1")
        #expect(fixture.say(#"{"op":"hello"}"#) == [.hub(.connected(.number(1), .of(.alice, device)))])
    }

    @Test func missingTokenCloses() {
        var fixture = SessionFixture()
        #expect(
            fixture.say(#"{"op":"hello","user":"alice"}"#) == [
                .error(nil, .unauthorized, "Hello needs a token."), .close(.invalidToken),
            ])
        #expect(fixture.session.isClosed)
    }

    @Test(arguments: [
        (TokenError.Code.expired, CloseCode.tokenExpired), (.badSignature, .invalidToken), (.missing, .invalidToken),
        (.keysUnavailable, .tryAgainLater),
    ])
    func refusedTokenCloses(_ code: TokenError.Code, _ close: CloseCode) {
        var fixture = SessionFixture()
        _ = fixture.say(#"{"op":"hello","token":"t"}"#)
        #expect(
            fixture.verified(.failure(TokenError(code, "why"))) == [.error(nil, .unauthorized, "why"), .close(close)])
    }

    @Test func secondHelloIsRefused() {
        var fixture = SessionFixture()
        _ = fixture.say(#"{"op":"hello","token":"t"}"#)
        #expect(
            fixture.say(#"{"op":"hello","token":"t"}"#) == [.error(nil, .conflict, "Already greeted: send hello once.")]
        )
        var active = SessionFixture.active()
        #expect(active.say(#"{"op":"hello"}"#) == [.error(nil, .conflict, "Already greeted: send hello once.")])
    }

    @Test func commandsBeforeWelcomeAreRefused() {
        var fixture = SessionFixture()
        let refusal = SessionAction.error("1", .unauthorized, "Wait for welcome first.")
        #expect(fixture.say(#"{"op":"join","id":"1","room":"lobby"}"#) == [refusal])
        _ = fixture.say(#"{"op":"hello","token":"t"}"#)
        #expect(fixture.say(#"{"op":"who","id":"1","room":"lobby"}"#) == [refusal])
        _ = fixture.verified(.success(alice))
        #expect(fixture.say(#"{"op":"who","id":"1","room":"lobby"}"#) == [refusal])
    }

    @Test func hubRefusalClosesSession() {
        var fixture = SessionFixture(credentials: alice)
        _ = fixture.say(#"{"op":"hello","device":"phone"}"#)
        #expect(
            fixture.receivedFromHub(.close(.connectionLimit)) == [
                .hub(.disconnected(.number(1), key, rooms: 0)), .close(.connectionLimit),
            ])
    }

    @Test func lateAnswerIsIgnored() {
        var fixture = SessionFixture()
        _ = fixture.say(#"{"op":"hello","token":"t"}"#)
        #expect(fixture.session.actions { $0.transportClosed(into: &$1) } == [])
        #expect(fixture.verified(.success(alice)) == [])
        #expect(fixture.receivedFromHub(.welcome) == [])
    }

    // MARK: Without tokens

    private let development = SessionContext(authentication: .development, limiter: SessionFixture.unlimited)

    @Test func developmentHelloNamesTheUser() {
        var fixture = SessionFixture(context: development)
        #expect(fixture.say(#"{"op":"hello","user":"alice","device":"phone"}"#) == [connected])
        #expect(fixture.session.identity?.credentials.grants == .moderator)
        var guest = SessionFixture(context: development)
        #expect(
            guest.say(#"{"op":"hello","device":"phone"}"#) == [
                .hub(.connected(.number(1), .of(.named("guest-\(development.incarnation)-0-1"))))
            ])
    }

    @Test func developmentHasNoTokenToRefresh() {
        var fixture = SessionFixture.active(context: development)
        #expect(
            fixture.say(#"{"op":"refresh","id":"r","token":"t"}"#) == [
                .error("r", .conflict, "This hub does not use tokens.")
            ])
    }

    // MARK: Refreshing

    @Test func refreshExtendsExpiry() {
        var fixture = SessionFixture.active(expiresAt: .ms(20_000))
        #expect(fixture.session.nextDeadline == .ms(20_000))
        #expect(fixture.say(#"{"op":"refresh","id":"r","token":"t"}"#) == [.verify(token: "t")])
        #expect(
            fixture.say(#"{"op":"refresh","id":"r2","token":"t"}"#) == [
                .error("r2", .conflict, "A refresh is already in progress.")
            ])
        let new = Credentials(user: .alice, expiresAt: .ms(90_000))
        #expect(fixture.verified(.success(new)) == [.send(.refreshed(id: .named("r"), expiresAt: .ms(90_000)))])
        #expect(fixture.session.nextDeadline == .ms(25_000), "the heartbeat comes first now")
        #expect(fixture.session.identity?.expiresAt == .ms(90_000))
        #expect(fixture.verified(.success(new)) == [], "it was answered")
    }

    @Test func failedRefreshChangesNothing() {
        var fixture = SessionFixture.active(expiresAt: .ms(20_000))
        for (code, told) in [(TokenError.Code.expired, ErrorCode.unauthorized), (.keysUnavailable, .unavailable)] {
            _ = fixture.say(#"{"op":"refresh","id":"r","token":"t"}"#)
            #expect(fixture.verified(.failure(TokenError(code, "why"))) == [.error("r", told, "why")])
        }
        _ = fixture.say(#"{"op":"refresh","id":"r","token":"t"}"#)
        for user in [UserKey(tenant: .standard, user: .bob), UserKey(tenant: .named("other"), user: .alice)] {
            _ = fixture.say(#"{"op":"refresh","id":"r","token":"t"}"#)
            #expect(
                fixture.verified(.success(Credentials(tenant: user.tenant, user: user.user))) == [
                    .error("r", .forbidden, "The token belongs to another user.")
                ])
        }
        #expect(fixture.session.identity?.expiresAt == .ms(20_000))
    }

    @Test func refreshWithoutGrantLeavesRoom() {
        var fixture = SessionFixture.inLobby()
        _ = fixture.say(#"{"op":"refresh","id":"r","token":"t"}"#)
        #expect(
            fixture.verified(.success(Credentials(user: .alice, grants: Grants([])))) == [
                .hub(.left(.number(1), .lobby, id: nil)),
                .send(.refreshed(id: .named("r"), expiresAt: nil)),
            ])
        let left = Event.left(id: nil, room: .lobby, reason: "why")
        #expect(fixture.receivedFromHub(.left(.lobby, left)) == [.exit(.lobby), .send(left)])
        #expect(fixture.session.commandsInFlight == 0)
    }

    /// The client gets no event for it.
    @Test func refreshDuringJoinLeavesRoom() {
        var fixture = SessionFixture.active()
        _ = fixture.say(#"{"op":"join","id":"j","room":"lobby"}"#)
        _ = fixture.say(#"{"op":"refresh","id":"r","token":"t"}"#)
        _ = fixture.verified(.success(Credentials(user: .alice, grants: Grants([]))))
        let joined = Event.joined(head: 0, members: .alice)
        #expect(
            fixture.receivedFromHub(.joined(joined)) == [
                .hub(.left(.number(1), .lobby, id: nil)),
                .error("j", .forbidden, "Your token does not grant access to this room."),
            ])
    }

    @Test func refreshesAreLimited() {
        var fixture = SessionFixture.active()
        func refresh(_ fixture: inout SessionFixture) -> [SessionAction] {
            fixture.say(#"{"op":"refresh","id":"r","token":"t"}"#)
        }
        for _ in 0..<6 {
            #expect(refresh(&fixture) == [.verify(token: "t")])
            _ = fixture.verified(.failure(TokenError(.expired, "why")))
        }
        #expect(refresh(&fixture) == [.error("r", .rateLimited, "Too many commands. Slow down.", wait: 10_000)])
        fixture.now = .ms(10_000)
        #expect(refresh(&fixture) == [.verify(token: "t")], "after as long as told")
    }

    // MARK: Time

    @Test func helloTimeoutCloses() {
        var fixture = SessionFixture()
        #expect(fixture.session.nextDeadline == .ms(10_000))
        #expect(fixture.timer(at: .ms(9999)) == [])
        #expect(
            fixture.timer(at: .ms(10_000)) == [
                .error(nil, .unauthorized, "No hello arrived in time."), .close(.invalidToken),
            ])
        #expect(fixture.timer(at: .ms(20_000)) == [])
    }

    @Test func slowHubClosesWithReconnect() {
        var fixture = SessionFixture()
        _ = fixture.say(#"{"op":"hello","token":"t","device":"phone"}"#)
        #expect(fixture.timer(at: .ms(10_000)) == [.close(.tryAgainLater)])
        fixture = SessionFixture(credentials: alice)
        _ = fixture.say(#"{"op":"hello","device":"phone"}"#)
        #expect(
            fixture.timer(at: .ms(10_000)) == [
                .hub(.disconnected(.number(1), key, rooms: 0)), .close(.tryAgainLater),
            ])
    }

    @Test func expiredTokenCloses() {
        var fixture = SessionFixture.active(expiresAt: .ms(31_000))
        #expect(fixture.timer(at: .ms(25_000)) == [.send(.ping)])
        #expect(fixture.session.nextDeadline == .ms(31_000))
        #expect(
            fixture.timer(at: .ms(31_000)) == [
                .hub(.disconnected(.number(1), key, rooms: 0)), .close(.tokenExpired),
            ])
    }

    @Test func idleSessionIsPingedThenClosed() {
        var fixture = SessionFixture.active()
        #expect(fixture.timer(at: .ms(24_999)) == [])
        #expect(fixture.timer(at: .ms(25_000)) == [.send(.ping)])
        #expect(fixture.session.nextDeadline == .ms(35_000))
        #expect(fixture.timer(at: .ms(34_999)) == [])
        #expect(
            fixture.timer(at: .ms(35_000)) == [
                .hub(.disconnected(.number(1), key, rooms: 0)), .close(.heartbeatTimeout),
            ])
        #expect(fixture.session.nextDeadline == MonotonicTime(nanoseconds: .max))
    }

    @Test func activityPostponesPing() {
        var fixture = SessionFixture.active()
        fixture.now = .ms(20_000)
        _ = fixture.say(#"{"op":"pong"}"#)
        #expect(fixture.timer(at: .ms(25_000)) == [])
        #expect(fixture.timer(at: .ms(45_000)) == [.send(.ping)])
        fixture.session.noteActivity(now: .ms(46_000))
        #expect(fixture.session.nextDeadline == .ms(71_000))
    }

    @Test func pausedReadingDoesNotCountAsSilence() {
        var limits = Limits()
        limits.commandsInFlightMax = 1
        var fixture = SessionFixture.active(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        #expect(fixture.say(#"{"op":"who","id":"w","room":"dm:alice:bob"}"#).last == .pauseReading)
        #expect(fixture.timer(at: .ms(25_000)) == [])
        #expect(fixture.session.nextDeadline == .ms(50_000))
        // A client that doesn't read is treated differently.
        _ = fixture.session.actions { $0.backlogChanged(true, into: &$1) }
        #expect(fixture.timer(at: .ms(50_000)) == [.send(.ping)])
        #expect(fixture.timer(at: .ms(60_000)).last == .close(.heartbeatTimeout))
    }
}
