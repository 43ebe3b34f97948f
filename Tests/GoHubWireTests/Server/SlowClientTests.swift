import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

extension ServerFixture {
    /// Milliseconds for each connection of the server.
    fileprivate func userTimeouts() async -> [UInt32] {
        var timeouts: [UInt32] = []
        for index in 0..<loops {
            timeouts += await server.ask(index, orElse: []) { loop in
                loop.connections.values.map { connection in
                    var timeout: UInt32 = 0
                    var size = socklen_t(MemoryLayout<UInt32>.size)
                    getsockopt(connection.descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout, &size)
                    return timeout
                }
            }
        }
        return timeouts
    }

    fileprivate func shortenUserTimeouts(toMs timeout: UInt32) async {
        for index in 0..<loops {
            await server.ask(index, orElse: ()) { loop in
                for connection in loop.connections.values {
                    var timeout = timeout
                    let size = socklen_t(MemoryLayout<UInt32>.size)
                    setsockopt(connection.descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout, size)
                }
            }
        }
    }
}

/// Clients that don't read.
@Suite struct SlowClientTests {
    private static let textBytes = 60_000

    private var limits: Limits {
        var limits = Limits.patient
        limits.textBytesMax = Self.textBytes
        limits.messageBytesMax = 2 * Self.textBytes
        limits.pageBytesMax = Self.textBytes
        return limits
    }

    private func publish(_ number: Int, to room: RoomID = .lobby, _ fixture: ServerFixture) async throws {
        let id = try #require(CommandID("n\(number)"))
        let text = "\(number) " + String(repeating: "x", count: Self.textBytes - 10)
        let reply = await fixture.server.publish(text, to: room, from: Member(user: .bob, name: "Bob"), id: id)
        guard case .ack = reply else {
            Issue.record("published \(number): \(reply)")
            return
        }
    }

    @Test(arguments: [false, true]) func slowConsumerIsDroppedWithoutGap(isTLS: Bool) async throws {
        try await ServerFixture.run(
            isTLS: isTLS, limits: limits, configure: { $0.closeTimeout = 60_000 }
        ) { fixture in
            let slow = try await fixture.join(as: "alice", receiveBytes: 4096)
            let quick = try await fixture.join(as: "carol")
            // Beyond the socket buffers, which the system bounds, and the queue's limit, it must be dropped.
            var published = 0
            while await fixture.server.members(of: .lobby).count > 1, published < 400 {
                published += 1
                try await publish(published, fixture)
                #expect(try await quick.expect("message")["offset"] == published)
            }
            #expect(published < 400, "a client that reads nothing was kept")
            // The room continues.
            try await publish(published + 1, fixture)
            #expect(try await quick.expect("message")["offset"] == published + 1)

            var last = 0
            reading: while true {
                switch try await slow.next() {
                case .text(let text):
                    let event = try TestEvent(text)
                    guard event.op == "message" else { continue }
                    #expect(event["offset"] == last + 1)
                    last += 1
                case .close(let code, _):
                    #expect(code == 4001)
                    break reading
                default:
                    Issue.record("ended without a close frame")
                    break reading
                }
            }
            #expect(last > 0 && last < published)
            try await slow.sendClose(4001)
            #expect(try await slow.next() == .end)
        }
    }

    @Test(arguments: [false, true]) func clientThatDoesNotReadIsNotRead(isTLS: Bool) async throws {
        var limits = limits
        // So many answers at once fit into the queue.
        limits.commandsInFlightMax = 4
        let queueBytesMax = limits.queueBytesMax
        try await ServerFixture.run(isTLS: isTLS, limits: limits) { fixture in
            for number in 1...10 { try await publish(number, fixture) }
            let client = try await fixture.join(as: "alice", receiveBytes: 4096)
            // Each requests a page of one long message. The answers are far more than sockets and queue hold.
            let count = 400
            for number in 0..<count {
                try await client.send(
                    #"{"op":"history","id":"h\#(number)","room":"lobby","before":\#(number % 10 + 2),"limit":1}"#)
            }
            try await fixture.until("reading pauses") {
                await fixture.anyConnection { $0.isReadingPaused && $0.isBacklogged }
            }
            let isWithinBounds = await fixture.anyConnection { $0.outgoing.queue.byteCount <= queueBytesMax }
            #expect(isWithinBounds)
            for number in 0..<count {
                let page = try await client.expect("page")
                #expect(page["id"] == "h\(number)")
            }
            // All were answered, so reading resumed.
            try await client.join("lobby", id: "again")
        }
    }

    @Test(arguments: [false, true]) func manyRepliesDoNotOverflowAReadingClient(isTLS: Bool) async throws {
        try await ServerFixture.run(isTLS: isTLS, limits: limits) { fixture in
            for number in 1...10 { try await publish(number, fixture) }
            let client = try await fixture.join(as: "alice", receiveBytes: 4 << 20)
            // In one packet, so that one turn makes all answers: more than the queue's limit, less than the socket's.
            let asked = (0..<25).map { #"{"op":"history","id":"h\#($0)","room":"lobby","before":5,"limit":1}"# }
            try await client.write(asked.flatMap { WebSocketTestClient.frame(1, Array($0.utf8)) })
            for number in 0..<asked.count { #expect(try await client.expect("page")["id"] == "h\(number)") }
        }
    }

    /// The store answers immediately, so only the client's own pace delays the joins.
    @Test(arguments: [false, true]) func manyRoomsAreJoinedAtTheReadersPace(isTLS: Bool) async throws {
        var limits = limits
        limits.presenceDelay = 60_000
        // The smallest queue that the other limits allow: one surplus answer overflows it.
        limits.pageBytesMax = 2 * Self.textBytes
        limits.pagesInFlightMax = 1
        limits.queueWatermarkBytes = 300_000
        limits.queueBytesMax = limits.queueWatermarkBytes + 2 * limits.pageBytesMax + 64 * 1024
        #expect(limits.contradictions().isEmpty)
        let watermark = limits.queueWatermarkBytes
        // On one loop all answers are ready in one turn.
        try await ServerFixture.run(isTLS: isTLS, limits: limits, configure: { $0.loops = 1 }) { fixture in
            let rooms = (0..<100).map { "room\($0)" }
            for room in rooms {
                for number in 1...2 { try await publish(number, to: .named(room), fixture) }
            }
            let client = try await fixture.connect(receiveBytes: 4096)
            try await client.hello("alice")
            let entries = rooms.map { #"{"id":"\#($0)","room":"\#($0)","limit":2}"# }.joined(separator: ",")
            try await client.write(WebSocketTestClient.frame(1, Array(#"{"op":"join","rooms":[\#(entries)]}"#.utf8)))
            try await fixture.until("much waits") {
                await fixture.anyConnection { $0.outgoing.blockedBytes > watermark }
            }
            for _ in rooms { #expect(try await client.expect("joined")["recovered"] == false) }
        }
    }

    @Test func overflowingJoinLeavesNoSubscription() async throws {
        var limits = limits
        limits.queueBytesMax = 200_000
        limits.queueWatermarkBytes = 100_000
        limits.commandsInFlightMax = 200
        limits.pagesInFlightMax = 200
        limits.roomsPerSessionMax = 200
        // Only answers may cause the overflow.
        limits.presenceDelay = 60_000
        try await ServerFixture.run(limits: limits, configure: { $0.closeTimeout = 60_000 }) { fixture in
            for number in 0..<200 { try await publish(1, to: .named("room\(number)"), fixture) }
            let client = try await fixture.connect(receiveBytes: 4096)
            try await client.hello("alice")
            let joins = (0..<200).map { #"{"op":"join","id":"j","room":"room\#($0)","limit":1}"# }
            try await client.write(joins.flatMap { WebSocketTestClient.frame(1, Array($0.utf8)) })
            try await fixture.until("it is dropped") { await fixture.anyConnection { !$0.isOpen } }
            #expect(try await client.expectClose() == 4001)
            await client.disconnect()
            try await fixture.until("nothing is subscribed any more") {
                var rooms = await fixture.server.statistics().rooms
                for index in 0..<fixture.loops {
                    rooms += await fixture.server.ask(index, orElse: 0) { $0.fanOut.roomCount }
                }
                return rooms == 0
            }
        }
    }

    /// A peer whose machine vanished acknowledges nothing. For the system, a peer that never reads is the same, and it
    /// then aborts the connection (`TCP_USER_TIMEOUT`). Nothing in the hub ends it here: no heartbeat, no full queue.
    @Test func kernelDropsUnresponsivePeer() async throws {
        var limits = limits
        limits.heartbeat = 600_000
        try await ServerFixture.run(limits: limits) { fixture in
            let stalled = try await fixture.join(as: "alice", receiveBytes: 4096)
            #expect(await fixture.userTimeouts() == [60_000])
            var published = 0
            while await fixture.anyConnection({ $0.outgoing.blockedBytes > 0 }) == false, published < 400 {
                published += 1
                try await publish(published, fixture)
            }
            #expect(published < 400)
            await fixture.shortenUserTimeouts(toMs: 100)
            try await fixture.until("it is gone") { await fixture.server.statistics().connections == 0 }
            await stalled.disconnect()
        }
    }

    @Test func pingFloodIsAnsweredAtReadersPace() async throws {
        try await ServerFixture.run { fixture in
            let client = try await fixture.connect(receiveBytes: 4096)
            try await client.hello("alice")
            let ping = WebSocketTestClient.frame(9, [UInt8](repeating: 7, count: 125))
            let count = 3_000
            try await client.write([UInt8](Array(repeating: ping, count: count).joined()))
            for _ in 0..<count {
                guard case .pong(let payload) = try await client.next() else {
                    Issue.record("no pong")
                    return
                }
                #expect(payload.count == 125)
            }
        }
    }
}
