import GoHubTestSupport
import Testing

@testable import GoHubCore

struct SessionHelloTests {
    private let alice = Credentials(user: .alice, expiresAt: .ms(60_000))
    private let key = SessionKey.of(.alice)
    private let connected = SessionAction.hub(.connected(.number(1), .of(.alice)))

    // MARK: With tokens

    @Test func verifiedTokenIsWelcomed() {
        var bench = SessionBench()
        #expect(bench.say(#"{"op":"hello","token":"t","device":"phone"}"#) == [.verify(token: "t")])
        #expect(bench.verified(.success(alice)) == [connected])
        #expect(!bench.session.isActive)
        let welcome = bench.told(.welcome)
        guard case .send(.welcome(let told))? = welcome.first, welcome.count == 1 else {
            Issue.record("no welcome: \(welcome)")
            return
        }
        #expect(told.session == .number(1))
        #expect(told.user == .alice)
        #expect(told.device == .phone)
        #expect(told.expiresAt == .ms(60_000))
        #expect(told.limits.commandsPerMinute == 0, "no limit")
        #expect(bench.session.isActive)
    }

    @Test func handshakeCredentialsNeedNoToken() {
        var bench = SessionBench(credentials: alice)
        #expect(bench.say(#"{"op":"hello","device":"phone"}"#) == [connected])
    }

    @Test func missingDeviceIsGenerated() {
        var bench = SessionBench(credentials: alice)
        #expect(bench.say(#"{"op":"hello"}"#) == [.hub(.connected(.number(1), .of(.alice, .named("d-0-1"))))])
    }

    @Test func missingTokenCloses() {
        var bench = SessionBench()
        #expect(
            bench.say(#"{"op":"hello","user":"alice"}"#) == [
                .error(nil, .unauthorized, "Hello needs a token."), .close(.invalidToken),
            ])
        #expect(bench.session.isClosed)
    }

    @Test(arguments: [
        (TokenError.Code.expired, CloseCode.tokenExpired), (.badSignature, .invalidToken), (.missing, .invalidToken),
        (.keysUnavailable, .tryAgainLater),
    ])
    func refusedTokenCloses(_ code: TokenError.Code, _ close: CloseCode) {
        var bench = SessionBench()
        _ = bench.say(#"{"op":"hello","token":"t"}"#)
        #expect(
            bench.verified(.failure(TokenError(code, "why"))) == [.error(nil, .unauthorized, "why"), .close(close)])
    }

    @Test func secondHelloIsRefused() {
        var bench = SessionBench()
        _ = bench.say(#"{"op":"hello","token":"t"}"#)
        #expect(
            bench.say(#"{"op":"hello","token":"t"}"#) == [.error(nil, .conflict, "Already greeted: send hello once.")])
        var active = SessionBench.active()
        #expect(active.say(#"{"op":"hello"}"#) == [.error(nil, .conflict, "Already greeted: send hello once.")])
    }

    @Test func commandsBeforeWelcomeAreRefused() {
        var bench = SessionBench()
        let refusal = SessionAction.error("1", .unauthorized, "Wait for welcome first.")
        #expect(bench.say(#"{"op":"join","id":"1","room":"lobby"}"#) == [refusal])
        _ = bench.say(#"{"op":"hello","token":"t"}"#)
        #expect(bench.say(#"{"op":"who","id":"1","room":"lobby"}"#) == [refusal])
        _ = bench.verified(.success(alice))
        #expect(bench.say(#"{"op":"who","id":"1","room":"lobby"}"#) == [refusal])
    }

    @Test func hubRefusalClosesSession() {
        var bench = SessionBench(credentials: alice)
        _ = bench.say(#"{"op":"hello","device":"phone"}"#)
        #expect(
            bench.told(.close(.connectionLimit)) == [
                .hub(.disconnected(.number(1), key, rooms: 0)), .close(.connectionLimit),
            ])
    }

    @Test func lateAnswerIsIgnored() {
        var bench = SessionBench()
        _ = bench.say(#"{"op":"hello","token":"t"}"#)
        #expect(bench.session.actions { $0.transportClosed(into: &$1) } == [])
        #expect(bench.verified(.success(alice)) == [])
        #expect(bench.told(.welcome) == [])
    }

    // MARK: Without tokens

    private let development = SessionContext(authentication: .development, limiter: SessionBench.unlimited)

    @Test func developmentHelloNamesTheUser() {
        var bench = SessionBench(context: development)
        #expect(bench.say(#"{"op":"hello","user":"alice","device":"phone"}"#) == [connected])
        #expect(bench.session.identity?.credentials.grants == .moderator)
        var guest = SessionBench(context: development)
        #expect(
            guest.say(#"{"op":"hello","device":"phone"}"#) == [
                .hub(.connected(.number(1), .of(.named("guest-0-1"))))
            ])
    }

    @Test func developmentHasNoTokenToRefresh() {
        var bench = SessionBench.active(context: development)
        #expect(
            bench.say(#"{"op":"refresh","id":"r","token":"t"}"#) == [
                .error("r", .conflict, "This hub does not use tokens.")
            ])
    }

    // MARK: Refreshing

    @Test func refreshExtendsExpiry() {
        var bench = SessionBench.active(expiresAt: .ms(20_000))
        #expect(bench.session.nextDeadline == .ms(20_000))
        #expect(bench.say(#"{"op":"refresh","id":"r","token":"t"}"#) == [.verify(token: "t")])
        #expect(
            bench.say(#"{"op":"refresh","id":"r2","token":"t"}"#) == [
                .error("r2", .conflict, "A refresh is already in progress.")
            ])
        let new = Credentials(user: .alice, expiresAt: .ms(90_000))
        #expect(bench.verified(.success(new)) == [.send(.refreshed(id: .named("r"), expiresAt: .ms(90_000)))])
        #expect(bench.session.nextDeadline == .ms(25_000), "the heartbeat comes first now")
        #expect(bench.session.identity?.expiresAt == .ms(90_000))
        #expect(bench.verified(.success(new)) == [], "it was answered")
    }

    @Test func failedRefreshChangesNothing() {
        var bench = SessionBench.active(expiresAt: .ms(20_000))
        for (code, told) in [(TokenError.Code.expired, ErrorCode.unauthorized), (.keysUnavailable, .unavailable)] {
            _ = bench.say(#"{"op":"refresh","id":"r","token":"t"}"#)
            #expect(bench.verified(.failure(TokenError(code, "why"))) == [.error("r", told, "why")])
        }
        _ = bench.say(#"{"op":"refresh","id":"r","token":"t"}"#)
        for user in [UserKey(tenant: .standard, user: .bob), UserKey(tenant: .named("other"), user: .alice)] {
            _ = bench.say(#"{"op":"refresh","id":"r","token":"t"}"#)
            #expect(
                bench.verified(.success(Credentials(tenant: user.tenant, user: user.user))) == [
                    .error("r", .forbidden, "The token belongs to another user.")
                ])
        }
        #expect(bench.session.identity?.expiresAt == .ms(20_000))
    }

    @Test func refreshWithoutGrantLeavesRoom() {
        var bench = SessionBench.inLobby()
        _ = bench.say(#"{"op":"refresh","id":"r","token":"t"}"#)
        #expect(
            bench.verified(.success(Credentials(user: .alice, grants: Grants([])))) == [
                .hub(.left(.number(1), .lobby, id: nil)),
                .send(.refreshed(id: .named("r"), expiresAt: nil)),
            ])
        let left = Event.left(id: nil, room: .lobby, reason: "why")
        #expect(bench.told(.left(.lobby, left)) == [.exit(.lobby), .send(left)])
        #expect(bench.session.commandsInFlight == 0)
    }

    /// The client is shown nothing of it.
    @Test func refreshDuringJoinLeavesRoom() {
        var bench = SessionBench.active()
        _ = bench.say(#"{"op":"join","id":"j","room":"lobby"}"#)
        _ = bench.say(#"{"op":"refresh","id":"r","token":"t"}"#)
        _ = bench.verified(.success(Credentials(user: .alice, grants: Grants([]))))
        let joined = Event.joined(head: 0, members: .alice)
        #expect(
            bench.told(.joined(joined)) == [
                .hub(.left(.number(1), .lobby, id: nil)),
                .error("j", .forbidden, "Your token does not grant access to this room."),
            ])
    }

    @Test func refreshesAreLimited() {
        var bench = SessionBench.active()
        func refresh(_ bench: inout SessionBench) -> [SessionAction] {
            bench.say(#"{"op":"refresh","id":"r","token":"t"}"#)
        }
        for _ in 0..<6 {
            #expect(refresh(&bench) == [.verify(token: "t")])
            _ = bench.verified(.failure(TokenError(.expired, "why")))
        }
        #expect(refresh(&bench) == [.error("r", .rateLimited, "Too many commands. Slow down.", wait: 10_000)])
        bench.now = .ms(10_000)
        #expect(refresh(&bench) == [.verify(token: "t")], "after as long as told")
    }

    // MARK: Time

    @Test func helloTimeoutCloses() {
        var bench = SessionBench()
        #expect(bench.session.nextDeadline == .ms(10_000))
        #expect(bench.timer(at: .ms(9999)) == [])
        #expect(
            bench.timer(at: .ms(10_000)) == [
                .error(nil, .unauthorized, "No hello arrived in time."), .close(.invalidToken),
            ])
        #expect(bench.timer(at: .ms(20_000)) == [])
    }

    @Test func slowHubClosesWithReconnect() {
        var bench = SessionBench()
        _ = bench.say(#"{"op":"hello","token":"t","device":"phone"}"#)
        #expect(bench.timer(at: .ms(10_000)) == [.close(.tryAgainLater)])
        bench = SessionBench(credentials: alice)
        _ = bench.say(#"{"op":"hello","device":"phone"}"#)
        #expect(
            bench.timer(at: .ms(10_000)) == [
                .hub(.disconnected(.number(1), key, rooms: 0)), .close(.tryAgainLater),
            ])
    }

    @Test func expiredTokenCloses() {
        var bench = SessionBench.active(expiresAt: .ms(31_000))
        #expect(bench.timer(at: .ms(25_000)) == [.send(.ping)])
        #expect(bench.session.nextDeadline == .ms(31_000))
        #expect(
            bench.timer(at: .ms(31_000)) == [
                .hub(.disconnected(.number(1), key, rooms: 0)), .close(.tokenExpired),
            ])
    }

    @Test func idleSessionIsPingedThenClosed() {
        var bench = SessionBench.active()
        #expect(bench.timer(at: .ms(24_999)) == [])
        #expect(bench.timer(at: .ms(25_000)) == [.send(.ping)])
        #expect(bench.session.nextDeadline == .ms(35_000))
        #expect(bench.timer(at: .ms(34_999)) == [])
        #expect(
            bench.timer(at: .ms(35_000)) == [
                .hub(.disconnected(.number(1), key, rooms: 0)), .close(.heartbeatTimeout),
            ])
        #expect(bench.session.nextDeadline == MonotonicTime(nanoseconds: .max))
    }

    @Test func activityPostponesPing() {
        var bench = SessionBench.active()
        bench.now = .ms(20_000)
        _ = bench.say(#"{"op":"pong"}"#)
        #expect(bench.timer(at: .ms(25_000)) == [])
        #expect(bench.timer(at: .ms(45_000)) == [.send(.ping)])
        bench.session.heard(now: .ms(46_000))
        #expect(bench.session.nextDeadline == .ms(71_000))
    }

    @Test func pausedReadingDoesNotCountAsSilence() {
        var limits = Limits()
        limits.commandsInFlightMax = 1
        var bench = SessionBench.active(context: SessionContext(limits: limits, limiter: SessionBench.unlimited))
        #expect(bench.say(#"{"op":"who","id":"w","room":"dm:alice:bob"}"#).last == .pauseReading)
        #expect(bench.timer(at: .ms(25_000)) == [])
        #expect(bench.session.nextDeadline == .ms(50_000))
        // One that doesn't take what is written to it is another matter.
        _ = bench.session.actions { $0.backlogChanged(true, into: &$1) }
        #expect(bench.timer(at: .ms(50_000)) == [.send(.ping)])
        #expect(bench.timer(at: .ms(60_000)).last == .close(.heartbeatTimeout))
    }
}
