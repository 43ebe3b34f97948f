import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// What time does to a session: its hello, its token, its heartbeat.
@Suite struct SessionLifeTests {
    @Test(arguments: [false, true]) func whoNeverSaysHelloIsClosed(isTLS: Bool) async throws {
        var limits = Limits()
        limits.helloTimeout = 100
        try await ServerFixture.run(isTLS: isTLS, limits: limits) { fixture in
            let client = try await fixture.connect()
            #expect(try await client.expectClose() == 4501)
        }
    }

    @Test func aTokenThatExpiresEndsTheLiveSession() async throws {
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

    @Test func aRefreshPutsTheExpiryOff() async throws {
        let later = WallTime.inMs(3_600_000)
        let verifier = TestVerifier([
            "short": .success(Credentials(user: .alice, expiresAt: .inMs(1_000))),
            "long": .success(Credentials(user: .alice, expiresAt: later)),
            "other": .success(Credentials(user: .bob, expiresAt: later)),
        ])
        try await ServerFixture.run(verifier: verifier) { fixture in
            let refreshed = try await fixture.connect()
            try await refreshed.send(#"{"op":"hello","device":"a","token":"short"}"#)
            _ = try await refreshed.expect("welcome")
            let other = try await fixture.connect()
            try await other.send(#"{"op":"hello","device":"b","token":"short"}"#)
            _ = try await other.expect("welcome")

            try await refreshed.send(#"{"op":"refresh","id":"1","token":"long"}"#)
            #expect(try await refreshed.expect("refreshed")["expiresAt"] == Int(later.milliseconds))
            try await other.send(#"{"op":"refresh","id":"1","token":"other"}"#)
            guard case .text(let refusal) = try await other.next() else { throw RefreshFailure() }
            #expect(try TestEvent(refusal)["code"] == "forbidden")
            // The one who was not refreshed shows that the time is over.
            #expect(try await other.expectClose() == 4003)
            try await refreshed.join("lobby")
        }
    }

    private struct RefreshFailure: Error {}

    @Test(arguments: [false, true]) func whoDoesNotAnswerThePingIsClosed(isTLS: Bool) async throws {
        var limits = Limits()
        limits.heartbeat = 100
        limits.heartbeatGrace = 100
        try await ServerFixture.run(isTLS: isTLS, limits: limits) { fixture in
            let silent = try await fixture.connect()
            try await silent.hello("alice")
            _ = try await silent.expect("ping")
            #expect(try await silent.expectClose() == 4000)
        }
    }

    @Test func whoAnswersThePingStays() async throws {
        var limits = Limits()
        limits.heartbeat = 100
        limits.heartbeatGrace = 10_000
        try await ServerFixture.run(limits: limits) { fixture in
            let client = try await fixture.connect()
            try await client.hello("alice")
            // A second ping comes only when the first was answered: by a message, or by a frame of the protocol.
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
