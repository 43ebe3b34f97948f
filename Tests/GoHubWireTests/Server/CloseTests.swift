import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// How connections end: cleanly, by a violation, by a timeout, or by a lost connection (RFC 6455, section 7).
@Suite struct CloseTests {
    // MARK: In order

    @Test(arguments: [false, true]) func clientCloseIsEchoed(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            for code in [1000, 1001, 3000, 4999] as [UInt16] {
                let client = try await fixture.join(as: "alice")
                try await client.sendClose(code)
                #expect(try await client.expectClose() == code)
                #expect(try await client.next() == .end)
            }
            let client = try await fixture.join(as: "alice")
            try await client.write(WebSocketTestClient.frame(8, []))
            #expect(try await client.expectClose() == 1005)
            #expect(try await client.next() == .end)
            try await fixture.until("all have left") { await fixture.server.members(of: .lobby).count == 0 }
        }
    }

    @Test(arguments: [false, true]) func serverCloseWaitsForClientsClose(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.closeTimeout = 60_000 }) { fixture in
            let client = try await fixture.join(as: "alice")
            let user = UserKey(tenant: .standard, user: .alice)
            #expect(await fixture.server.disconnect(user) == 1)
            #expect(try await client.expectClose() == 4504)
            // Later input of the client is read and ignored.
            try await client.say("too late", in: "lobby", id: "1")
            #expect(await fixture.server.statistics().connections == 1)
            try await client.sendClose(4504)
            #expect(try await client.next() == .end)
        }
    }

    @Test(arguments: [false, true]) func unansweredCloseIsAborted(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.closeTimeout = 100 }) { fixture in
            let client = try await fixture.join(as: "alice")
            _ = await fixture.server.disconnect(UserKey(tenant: .standard, user: .alice))
            #expect(try await client.expectClose() == 4504)
            #expect(try await client.next() == .end)
        }
    }

    // MARK: Violations; `RFC6455FrameTests` has those of the protocol itself

    struct Rule: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let code: UInt16
    }

    private static func frame(
        _ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, reserved: UInt8 = 0
    ) -> [UInt8] {
        WebSocketTestClient.frame(opcode, payload, isFinal: isFinal, reserved: reserved)
    }

    static let rules = [
        Rule(testDescription: "a binary message", bytes: frame(2, [1, 2, 3]), code: 1003),
        Rule(
            testDescription: "a message that is announced too long",
            bytes: [0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4], code: 1009),
        Rule(testDescription: "a reserved opcode", bytes: frame(3, []), code: 1002),
        Rule(
            testDescription: "fragments that are too long together",
            bytes: frame(1, [UInt8](repeating: 0x20, count: 40_000), isFinal: false)
                + frame(0, [UInt8](repeating: 0x20, count: 40_000)), code: 1009),
        Rule(
            testDescription: "a flood of empty fragments",
            bytes: frame(1, [], isFinal: false) + (0..<300).flatMap { _ in frame(0, [], isFinal: false) }, code: 1009),
    ]

    @Test(arguments: rules) func protocolViolationCloses(_ rule: Rule) async throws {
        for isTLS in [false, true] {
            try await ServerFixture.run(isTLS: isTLS, configure: { $0.closeTimeout = 60_000 }) { fixture in
                let client = try await fixture.join(as: "alice")
                let other = try await fixture.join(as: "bob")
                try await client.write(rule.bytes)
                #expect(try await client.expectClose() == rule.code)
                // After a violation the server doesn't wait for a close frame (section 7.1.7). An unsupported message
                // type is not a violation.
                if rule.code == 1003 { try await client.sendClose(1003) }
                #expect(try await client.next() == .end)
                try await other.say("all well", in: "lobby", id: "1")
                #expect(try await other.expect("message")["text"] == "all well")
            }
        }
    }

    // MARK: Frames of all kinds

    @Test(arguments: [false, true]) func pingsAreAnswered(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            let client = try await fixture.connect()
            let payloads: [[UInt8]] = [[], [1, 2, 3], [UInt8](repeating: 9, count: 125)]
            for payload in payloads {
                try await client.write(WebSocketTestClient.frame(9, payload))
                #expect(try await client.next() == .pong(payload))
            }
        }
    }

    @Test(arguments: [false, true]) func fragmentedMessageWithInterleavedPing(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS) { fixture in
            let client = try await fixture.join(as: "alice")
            let text = Array(#"{"op":"send","id":"1","room":"lobby","text":"grüße"}"#.utf8)
            for (index, byte) in text.enumerated() {
                let isLast = index == text.count - 1
                try await client.write(Self.frame(index == 0 ? 1 : 0, [byte], isFinal: isLast))
                if index == 10 { try await client.write(Self.frame(9, [42])) }
            }
            var answer = try await client.next()
            // The event about its own join may come before it.
            while case .text(let text) = answer, text.contains("presence") { answer = try await client.next() }
            #expect(answer == .pong([42]))
            #expect(try await client.expect("message")["text"] == "grüße")
        }
    }

    // MARK: Timeouts

    @Test func slowHeadIs408() async throws {
        try await ServerFixture.run(configure: { $0.headTimeout = 100 }) { fixture in
            let client = try await fixture.client()
            try await client.write(Array("GET /v1/ws HTTP/1.1\r\nHost: loc".utf8))
            #expect(try await client.readAnswerStatus() == "408")
            let silent = try await fixture.client()
            #expect(try await silent.readAnswerStatus() == "408")
        }
    }

    @Test func slowHeadOverTLSIs408() async throws {
        try await ServerFixture.run(isTLS: true, configure: { $0.headTimeout = 1_000 }) { fixture in
            let client = try await fixture.client()
            #expect(try await client.readAnswerStatus() == "408")
        }
    }

    @Test func slowTLSHandshakeIsAborted() async throws {
        try await ServerFixture.run(isTLS: true, configure: { $0.headTimeout = 100 }) { fixture in
            let silent = try WebSocketTestClient(port: fixture.port)
            #expect(try await silent.next() == .end)
            let stuck = try WebSocketTestClient(port: fixture.port)
            // The beginning of a ClientHello.
            try await stuck.write([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
            #expect(try await stuck.next() == .end)
        }
    }

    @Test(arguments: [false, true]) func unfinishedMessageCloses(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.messageTimeout = 100 }) { fixture in
            let client = try await fixture.join(as: "alice")
            try await client.write(Self.frame(1, [0x7B], isFinal: false))
            #expect(try await client.expectClose() == 1002)
            #expect(try await client.next() == .end)
        }
    }

    /// Control frames inside a message don't extend its deadline.
    @Test func unfinishedMessageWithPingsCloses() async throws {
        try await ServerFixture.run(configure: { $0.messageTimeout = 300 }) { fixture in
            let client = try await fixture.join(as: "alice")
            try await client.write(Self.frame(1, [0x7B], isFinal: false))
            let end = MonotonicTime.now() + 60_000
            while MonotonicTime.now() < end {
                try? await client.write(Self.frame(9, []))
                let answer = try await client.next()
                guard case .close(let code, _) = answer else { continue }
                #expect(code == 1002)
                return
            }
            Issue.record("pings kept an unfinished message alive")
        }
    }

    @Test func unfinishedFrameCloses() async throws {
        try await ServerFixture.run(configure: { $0.messageTimeout = 100 }) { fixture in
            let client = try await fixture.join(as: "alice")
            try await client.write(Array(Self.frame(1, [UInt8](repeating: 0x20, count: 1000)).prefix(500)))
            #expect(try await client.expectClose() == 1002)
        }
    }

    // MARK: Lost connections

    enum Stage: CaseIterable {
        case connected, insideTLS, insideTheHead, upgraded, welcomed, joined, insideAFrame, withABacklog, closing
    }

    /// Brings a client to this point, on a server with large queues.
    private func client(at stage: Stage, _ fixture: ServerFixture) async throws -> WebSocketTestClient {
        switch stage {
        case .connected: return try WebSocketTestClient(port: fixture.port)
        case .insideTLS:
            let client = try WebSocketTestClient(port: fixture.port)
            try await client.write([0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
            return client
        case .insideTheHead:
            let client = try await fixture.client()
            try await client.write(Array("GET /v1/ws HTTP/1.1\r\n".utf8))
            return client
        case .upgraded: return try await fixture.connect()
        case .welcomed:
            let client = try await fixture.connect()
            try await client.hello("alice")
            return client
        case .joined: return try await fixture.join(as: "alice")
        case .insideAFrame:
            let client = try await fixture.join(as: "alice")
            try await client.write(Array(Self.frame(1, [UInt8](repeating: 0x20, count: 1000)).prefix(500)))
            return client
        case .withABacklog:
            let client = try await fixture.join(as: "alice", receiveBytes: 4096)
            var number = 0
            while !(await fixture.anyConnection { $0.hasOutput }) {
                number += 1
                let id = try #require(CommandID("n\(number)"))
                let text = String(repeating: "x", count: 8_000)
                _ = await fixture.server.publish(text, to: .lobby, from: Member(user: .bob, name: "Bob"), id: id)
            }
            return client
        case .closing:
            let client = try await fixture.join(as: "alice")
            _ = await fixture.server.disconnect(UserKey(tenant: .standard, user: .alice))
            return client
        }
    }

    @Test(arguments: [false, true], Stage.allCases)
    func resetLeavesNothingBehind(isTLS: Bool, stage: Stage) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.closeTimeout = 60_000 }) { fixture in
            let client = try await client(at: stage, fixture)
            await client.disconnect(isReset: true)
            try await fixture.until("it is gone") {
                await fixture.server.statistics() == ServerStatistics(connections: 0, sessions: 0, rooms: 0)
            }
            _ = try await fixture.join(as: "alice")
        }
    }

    @Test(arguments: [false, true], Stage.allCases.filter { $0 != .withABacklog })
    func halfClosedConnectionEnds(isTLS: Bool, stage: Stage) async throws {
        try await ServerFixture.run(isTLS: isTLS, configure: { $0.closeTimeout = 60_000 }) { fixture in
            let client = try await client(at: stage, fixture)
            try await client.finishSending()
            try await fixture.until("it is gone") {
                await fixture.server.statistics() == ServerStatistics(connections: 0, sessions: 0, rooms: 0)
            }
        }
    }
}
