import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// The timers of a session: its hello, its token, its heartbeat.
@Suite struct SessionLifeTests {
    @Test(arguments: [false, true]) func helloTimeoutCloses(isTLS: Bool) async throws {
        var limits = Limits()
        limits.helloTimeout = 100
        try await ServerFixture.run(isTLS: isTLS, limits: limits) { fixture in
            let client = try await fixture.connect()
            #expect(try await client.expectClose() == 4501)
        }
    }

    @Test func welcomeNamesTheSessionOfThisHub() async throws {
        let context = SessionContext(limits: .patient, authentication: .development, limiter: .unlimited)
        try await ServerFixture.run(context: context) { fixture in
            let client = try await fixture.connect()
            let session: String = try #require(try await client.hello("alice")["session"])
            #expect(ClusterSessionID(text: session)?.node == context.incarnation)
        }
    }

    @Test func expiredTokenClosesLiveSession() async throws {
        let verifier = TestVerifier(["short": .success(Credentials(user: .alice, expiresAt: .inMs(300)))])
        try await ServerFixture.run(verifier: verifier) { fixture in
            let early = try await fixture.connect(fields: ["Authorization: Bearer short"])
            try await early.send(#"{"op":"hello","device":"a"}"#)
            let late = try await fixture.connect()
            try await late.send(#"{"op":"hello","device":"b","token":"short"}"#)
            for client in [early, late] {
                #expect(try await client.expect("welcome")["user"] == "alice")
                #expect(try await client.expectClose() == 4003)
            }
        }
    }

    @Test func refreshExtendsExpiry() async throws {
        let verifier = TestVerifier([
            "short": .success(Credentials(user: .alice, expiresAt: .inMs(600_000))),
            "long": .success(Credentials(user: .alice, expiresAt: .inMs(3_600_000))),
            "over": .success(Credentials(user: .alice, expiresAt: .inMs(0))),
            "other": .success(Credentials(user: .bob, expiresAt: .inMs(3_600_000))),
        ])
        var limits = Limits.patient
        limits.heartbeat = 7_200_000
        try await ServerFixture.run(limits: limits, verifier: verifier) { fixture in
            let client = try await fixture.connect()
            try await client.send(#"{"op":"hello","token":"short"}"#)
            _ = try await client.expect("welcome")
            let halfAnHour = MonotonicTime.now() + 1_800_000
            #expect(await fixture.anyConnection { ($0.session?.machine.nextDeadline).map { $0 < halfAnHour } ?? false })

            // Another user's token changes nothing.
            try await client.send(#"{"op":"refresh","id":"1","token":"other"}"#)
            guard case .text(let refusal) = try await client.next() else {
                Issue.record("no answer")
                return
            }
            #expect(try TestEvent(refusal)["code"] == "forbidden")
            #expect(await fixture.anyConnection { ($0.session?.machine.nextDeadline).map { $0 < halfAnHour } ?? false })

            try await client.send(#"{"op":"refresh","id":"2","token":"long"}"#)
            #expect(try await client.expect("refreshed")["id"] == "2")
            #expect(await fixture.anyConnection { ($0.session?.machine.nextDeadline).map { $0 > halfAnHour } ?? false })

            // An earlier expiry counts immediately, although the timer was set for later.
            try await client.send(#"{"op":"refresh","id":"3","token":"over"}"#)
            #expect(try await client.expect("refreshed")["id"] == "3")
            #expect(try await client.expectClose() == 4003)
        }
    }

    @Test(arguments: [false, true]) func unansweredPingCloses(isTLS: Bool) async throws {
        var limits = Limits.patient
        limits.heartbeat = 100
        limits.heartbeatGrace = 100
        try await ServerFixture.run(isTLS: isTLS, limits: limits) { fixture in
            let silent = try await fixture.connect()
            try await silent.hello("alice")
            _ = try await silent.expect("ping")
            #expect(try await silent.expectClose() == 4000)
        }
    }

    @Test func answeredPingKeepsSession() async throws {
        var limits = Limits.patient
        limits.heartbeat = 100
        limits.heartbeatGrace = 10_000
        try await ServerFixture.run(limits: limits) { fixture in
            let client = try await fixture.connect()
            try await client.hello("alice")
            // A second ping comes only after the first was answered, by a message or by a pong frame.
            _ = try await client.expect("ping")
            try await client.send(#"{"op":"pong"}"#)
            _ = try await client.expect("ping")
            try await client.write(WebSocketTestClient.frame(10, []))
            _ = try await client.expect("ping")
            try await client.write(WebSocketTestClient.frame(9, []))
            _ = try await client.expect("ping")
        }
    }
}
