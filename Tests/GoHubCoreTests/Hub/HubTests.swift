import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubCore

/// Whole hubs with clients in the same process, on a clock that only the test moves.
struct HubTests {
    private let time = TestTime()

    private func makeHub(
        limits: Limits = Limits(), rates: RateLimiter.Rates = .unlimited,
        store: any MessageStore = InMemoryMessageStore(seed: 1),
        verifier: (any TokenVerifier)? = nil
    ) -> Hub {
        Hub(
            context: SessionContext(limits: limits, limiter: RateLimiter(rates)), store: store, verifier: verifier,
            time: time.hubTime)
    }

    private func connect(
        _ user: UserID, _ device: DeviceID? = nil, to hub: Hub, grants: Grants = .participant
    ) async throws -> HubClient {
        try await hub.connect(Credentials(user: user, grants: grants), device: device)
    }

    @Test func hubIsReleasedWithItsClients() async throws {
        weak var left: Hub?
        do {
            let hub = makeHub()
            left = hub
            let alice = try await connect(.alice, to: hub)
            try await alice.join(.lobby)
            try await alice.send("anyone?", to: .lobby)
        }
        #expect(left == nil)
    }

    /// Both are the first session of their hub.
    @Test func sessionsOfTwoHubsHaveDifferentIDs() async throws {
        func firstSession() async throws -> ClusterSessionID {
            let outbox = Outbox()
            let connection = makeHub().attach(outbox, address: "192.0.2.1", credentials: Credentials(user: .alice))
            await connection.receive(#"{"op":"hello"}"#)
            guard case .event(let event)? = await outbox.next() else { return try #require(nil, "no event") }
            guard case .welcome(let welcome) = event.event else { return try #require(nil, "no welcome") }
            #expect(welcome.session == connection.id)
            #expect(welcome.device == .named("d-\(connection.id)"))
            return connection.id
        }
        let (one, other) = (try await firstSession(), try await firstSession())
        #expect(one.session == other.session)
        #expect(one != other)
    }

    // MARK: Messages

    @Test func twoClientsChat() async throws {
        let hub = makeHub()
        let alice = try await connect(.alice, to: hub)
        let bob = try await connect(.bob, to: hub)
        try await alice.join(.lobby)
        let joined = try await bob.join(.lobby)
        #expect(joined.members.listed.map(\.user) == [.alice, .bob])
        let ack = try await alice.send("hello", to: .lobby)
        #expect(ack.position?.offset == 1)
        let heard = await bob.nextMessage()
        #expect(heard?.text == "hello")
        #expect(heard?.from.user == .alice)
        #expect(await alice.nextMessage() == heard, "the sender hears it as well")
    }

    /// Messages that arrive while a batch is being stored form the next batch.
    @Test func oneBatchIsInFlight() async throws {
        let store = FaultInjectingStore()
        let hub = makeHub(store: store)
        let outbox = Outbox()
        let connection = hub.attach(outbox, address: "192.0.2.1", credentials: Credentials(user: .alice))
        await connection.receive(#"{"op":"hello"}"#)
        await connection.receive(#"{"op":"join","id":"j","room":"lobby"}"#)
        store.hold()
        for number in 1...3 {
            await connection.receive(#"{"op":"send","id":"\#(number)","room":"lobby","text":"hi"}"#)
        }
        #expect(store.heldCount == 1)
        store.releaseOne()
        #expect(store.heldCount == 1, "the other two together")
        store.release()
        var offsets: [Offset?] = []
        while offsets.count < 3, case .event(let event) = await outbox.next() {
            if case .ack(let ack) = event.event { offsets.append(ack.position?.offset) }
        }
        #expect(offsets == [1, 2, 3])
    }

    @Test func returningClientGetsMissedMessages() async throws {
        let hub = makeHub()
        let alice = try await connect(.alice, to: hub)
        try await alice.join(.lobby)
        let first = try await alice.send("one", to: .lobby)
        try await alice.leave(.lobby)
        let bob = try await connect(.bob, to: hub)
        try await bob.join(.lobby)
        try await bob.send("two", to: .lobby)
        try await bob.send("three", to: .lobby)
        let back = try await alice.join(.lobby, since: first.position)
        #expect(back.recovered)
        #expect(back.messages.map(\.text) == ["two", "three"])
        let newest = try await bob.join(.lobby, limit: 1)
        #expect(newest.messages.map(\.text) == ["three"])
    }

    @Test func retryIsStoredOnce() async throws {
        let hub = makeHub()
        let alice = try await connect(.alice, to: hub)
        try await alice.join(.lobby)
        let first = try await alice.send("hi", to: .lobby, id: .named("once"))
        let second = try await alice.send("hi", to: .lobby, id: .named("once"))
        #expect(second.position == first.position)
        #expect(second.isDuplicate)
        try await alice.send("end", to: .lobby)
        #expect(await alice.nextMessage()?.text == "hi")
        #expect(await alice.nextMessage()?.text == "end")
    }

    @Test func whisperReachesOnlyDevicesOfBothUsers() async throws {
        let hub = makeHub()
        let phone = try await connect(.alice, .phone, to: hub)
        let laptop = try await connect(.alice, .laptop, to: hub)
        let bob = try await connect(.bob, to: hub)
        let carol = try await connect(.carol, to: hub)
        let ack = try await phone.whisper("psst", to: .bob)
        #expect(ack.room == .direct(.alice, .bob))
        for client in [phone, laptop, bob] { #expect(await client.nextMessage()?.text == "psst") }
        try await carol.whisper("mine", to: .carol)
        #expect(await carol.nextMessage()?.text == "mine")
    }

    @Test func slashCommandsWork() async throws {
        let hub = makeHub()
        let alice = try await connect(.alice, to: hub, grants: .moderator)
        let bob = try await connect(.bob, to: hub)
        try await alice.join(.lobby)
        try await bob.join(.lobby)
        let kick = try await alice.request { .send(.init(id: $0, target: .room(.lobby), text: "/kick bob")) }
        guard case .notice(_, .lobby, let text) = kick else {
            Issue.record("no notice: \(kick)")
            return
        }
        #expect(text == "bob was kicked by alice")
        #expect(await bob.next() == .left(id: nil, room: .lobby, reason: text))
        await #expect(throws: HubClient.Failure.refused(.conflict, message: "Join the room first.", retryAfter: nil)) {
            try await bob.send("hi", to: .lobby)
        }
    }

    @Test func presenceIsSentOnTick() async throws {
        let hub = makeHub()
        let alice = try await connect(.alice, to: hub)
        try await alice.join(.lobby)
        let bob = try await connect(.bob, to: hub)
        try await bob.join(.lobby)
        time.advance(by: 500)
        hub.tick()
        #expect(await alice.next() == Event.presence(joined: [.alice, .bob], count: 2))
    }

    // MARK: Replacement and ends

    @Test func newerSessionReplacesOlder() async throws {
        let hub = makeHub()
        let older = try await connect(.alice, .phone, to: hub)
        try await older.join(.lobby)
        let newer = try await connect(.alice, .phone, to: hub)
        #expect(older.closeCode == .replaced)
        await #expect(throws: HubClient.Failure.closed(.replaced)) { try await older.join(.lobby) }
        while await older.next() != nil {}
        let joined = try await newer.join(.lobby)
        #expect(joined.members.count == 1)
    }

    @Test func closedClientLeaves() async throws {
        let hub = makeHub()
        let alice = try await connect(.alice, to: hub)
        let bob = try await connect(.bob, to: hub)
        try await alice.join(.lobby)
        alice.close()
        #expect(alice.closeCode == .normal)
        #expect(try await bob.join(.lobby).members.listed.map(\.user) == [.bob])
        #expect(await alice.next() == nil)
    }

    @Test func firstCloseReasonWins() async throws {
        let hub = makeHub()
        let older = try await connect(.alice, .phone, to: hub)
        _ = try await connect(.alice, .phone, to: hub)
        older.close()
        #expect(older.closeCode == .replaced)
    }

    @Test func tooManyDevicesAreRefused() async throws {
        var limits = Limits()
        limits.sessionsPerUserMax = 1
        let hub = makeHub(limits: limits)
        _ = try await connect(.alice, .phone, to: hub)
        await #expect(throws: HubClient.Failure.closed(.connectionLimit)) {
            try await connect(.alice, .laptop, to: hub)
        }
    }

    @Test func drainNotifiesAndClosesEveryone() async throws {
        let hub = makeHub()
        let clients = [try await connect(.alice, to: hub), try await connect(.bob, to: hub)]
        hub.drain(DrainPlan(closeOver: 200, reconnectOver: 2000))
        #expect(await clients[0].next() == .drain(reconnectAfter: 0...1000))
        #expect(await clients[1].next() == .drain(reconnectAfter: 1000...2000))
        await #expect(throws: HubClient.Failure.closed(.serviceRestart)) { try await connect(.carol, to: hub) }
        time.advance(by: 100)
        hub.tick()
        #expect(clients.map(\.closeCode) == [.serviceRestart, nil])
        #expect(!hub.isDrained)
        time.advance(by: 100)
        hub.tick()
        #expect(clients.map(\.closeCode) == [.serviceRestart, .serviceRestart])
        #expect(hub.isDrained)
    }

    @Test func inProcessClientAnswersPings() async throws {
        let hub = makeHub()
        let alice = try await connect(.alice, to: hub)
        for _ in 0..<10 {
            time.advance(by: 25_000)
            hub.tick()
        }
        #expect(alice.closeCode == nil)
    }

    // MARK: Limits

    @Test func tooFastClientGetsRateLimited() async throws {
        let rates = RateLimiter.Rates(connection: .perSecond(1, burst: 2), user: nil, address: nil, room: nil)
        let hub = makeHub(rates: rates)
        let alice = try await connect(.alice, to: hub)
        try await alice.join(.lobby)
        await #expect(
            throws: HubClient.Failure.refused(.rateLimited, message: "Too many commands. Slow down.", retryAfter: 1000)
        ) {
            try await alice.send("hi", to: .lobby)
        }
        time.advance(by: 1000)
        try await alice.send("hi", to: .lobby)
    }

    @Test func reconnectGainsNoBurst() async throws {
        let rates = RateLimiter.Rates(connection: nil, user: .perSecond(1, burst: 2), address: nil, room: nil)
        let hub = makeHub(rates: rates)
        let alice = try await connect(.alice, .phone, to: hub)
        try await alice.join(.lobby)
        alice.close()
        await #expect(
            throws: HubClient.Failure.refused(.rateLimited, message: "Too many commands. Slow down.", retryAfter: 1000)
        ) {
            try await connect(.alice, .phone, to: hub)
        }
        time.advance(by: 1000)
        _ = try await connect(.alice, .phone, to: hub)
    }

    @Test func slowConsumerIsDroppedOthersContinue() async throws {
        var limits = Limits()
        limits.queueBytesMax = 2000
        limits.queueWatermarkBytes = 1000
        let hub = makeHub(limits: limits)
        let slow = Outbox(limits: limits)
        let connection = hub.attach(slow, address: "a", credentials: Credentials(user: .carol))
        await connection.receive(#"{"op":"hello","device":"phone"}"#)
        await connection.receive(#"{"op":"join","id":"1","room":"lobby"}"#)
        let alice = try await connect(.alice, to: hub)
        try await alice.join(.lobby)
        for number in 1...50 {
            try await alice.send("message \(number)", to: .lobby)
            #expect(await alice.nextMessage()?.text == "message \(number)")
        }
        // It has read nothing so far: queued events are dropped, and only the close reason is left.
        guard case .closed(.slowConsumer)? = await slow.next() else {
            Issue.record("not dropped")
            return
        }
        #expect(await slow.next() == nil)
        #expect(try await alice.join(.lobby).members.listed.map(\.user) == [.alice])
    }

    // MARK: The store

    @Test func nothingIsAcknowledgedBeforeItIsStored() async throws {
        let store = FaultInjectingStore()
        let hub = makeHub(store: store)
        let alice = try await connect(.alice, to: hub)
        try await alice.join(.lobby)
        store.hold()
        let sending = Task { try await alice.send("hi", to: .lobby) }
        while store.heldCount == 0 { await Task.yield() }
        let reading = Task { await alice.nextMessage() }
        // A later command is answered first: only stored commands wait for the store.
        try await alice.leave(.lobby)
        store.release()
        #expect(try await sending.value.position?.offset == 1)
        alice.close()
        #expect(await reading.value == nil, "it had left before the message was stored")
    }

    @Test(arguments: [FaultInjectingStore.Fault.failBefore, .failAfter])
    func retryAfterStoreFailureIsSafe(_ fault: FaultInjectingStore.Fault) async throws {
        let store = FaultInjectingStore()
        let hub = makeHub(store: store)
        let alice = try await connect(.alice, to: hub)
        try await alice.join(.lobby)
        store.fail(fault)
        await #expect(throws: HubClient.Failure.self) { try await alice.send("hi", to: .lobby, id: .named("m")) }
        let ack = try await alice.send("hi", to: .lobby, id: .named("m"))
        #expect(ack.position?.offset == 1)
        // With `failAfter` it was stored but the answer was lost: the hub finds it in the store.
        #expect(await alice.nextMessage()?.text == "hi")
    }

    // MARK: Attached transports

    private struct Verifier: TokenVerifier {
        func verify(_ token: String) async throws(TokenError) -> Credentials {
            guard let user = UserID(token), token != "wrong" else { throw TokenError(.badSignature, "wrong token") }
            return Credentials(user: user)
        }
    }

    @Test func transportHelloWithToken() async throws {
        let hub = makeHub(verifier: Verifier())
        let outbox = Outbox()
        let connection = hub.attach(outbox, address: "a")
        await connection.receive(#"{"op":"hello","token":"alice","device":"phone"}"#)
        guard case .event(let event)? = await outbox.next(), case .welcome(let welcome) = event.event else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.user == .alice)
        connection.closed()
        await connection.receive(#"{"op":"pong"}"#)
    }

    @Test(arguments: [true, false])
    func wrongTokenCloses(_ hasVerifier: Bool) async {
        let hub = makeHub(verifier: hasVerifier ? Verifier() : nil)
        let outbox = Outbox()
        let connection = hub.attach(outbox, address: "a")
        await connection.receive(#"{"op":"hello","token":"wrong"}"#)
        _ = await outbox.next()
        guard case .closed(let code)? = await outbox.next() else {
            Issue.record("not closed")
            return
        }
        #expect(code == (hasVerifier ? .invalidToken : .tryAgainLater))
    }

    /// A loop around `receive` reads no faster than the client takes its answers.
    @Test func backloggedTransportIsNotRead() async throws {
        var limits = Limits()
        limits.queueWatermarkBytes = 1000
        let hub = makeHub(limits: limits)
        let read = Mutex(0)
        let room = Mutex<(@Sendable () -> Void)?>(nil)
        let outbox = Outbox(limits: limits) { room.withLock { $0 }?() }
        let connection = hub.attach(outbox, address: "a", credentials: Credentials(user: .alice))
        room.withLock { $0 = { connection.becameWritable() } }
        await connection.receive(#"{"op":"hello","device":"phone"}"#)
        _ = await outbox.next()
        let pump = Task {
            for _ in 0..<50 {
                await connection.receive(#"{"op":"nonsense"}"#)
                read.withLock { $0 += 1 }
            }
        }
        for _ in 0..<10 {
            for _ in 0..<100 { await Task.yield() }
        }
        #expect(read.withLock { $0 } < 20)
        for _ in 0..<50 { _ = await outbox.next() }
        await pump.value
        #expect(read.withLock { $0 } == 50)
        connection.closed()
    }

    @Test func cancelledRequestEnds() async throws {
        let store = FaultInjectingStore()
        let hub = makeHub(store: store)
        let alice = try await connect(.alice, to: hub)
        try await alice.join(.lobby)
        store.hold()
        let sending = Task { () -> HubClient.Failure? in
            do throws(HubClient.Failure) {
                _ = try await alice.send("hi", to: .lobby)
                return nil
            } catch {
                return error
            }
        }
        while store.heldCount == 0 { await Task.yield() }
        sending.cancel()
        #expect(await sending.value == .cancelled)
        store.release()
        #expect(await alice.nextMessage()?.text == "hi", "it was on its way already")
    }

    @Test func concurrentClientsSeeOneOrder() async throws {
        let hub = makeHub()
        let clients = try await withThrowingTaskGroup(of: HubClient.self) { group in
            for number in 0..<8 {
                group.addTask {
                    let client = try await hub.connect(Credentials(user: .named("user-\(number)")))
                    try await client.join(.lobby)
                    return client
                }
            }
            return try await group.reduce(into: [HubClient]()) { $0.append($1) }
        }
        let orders = try await withThrowingTaskGroup(of: [StoredMessage].self) { group in
            for client in clients {
                group.addTask {
                    async let heard = (0..<80).asyncCompactMap { _ in await client.nextMessage() }
                    for number in 0..<10 { try await client.send("\(number)", to: .lobby) }
                    return await heard
                }
            }
            return try await group.reduce(into: [[StoredMessage]]()) { $0.append($1) }
        }
        #expect(orders.first?.map(\.offset) == (1...80).map { UInt64($0) })
        #expect(Set(orders).count == 1)
    }
}

extension Range where Bound == Int {
    fileprivate func asyncCompactMap<Value>(_ body: (Int) async -> Value?) async -> [Value] {
        var values: [Value] = []
        for index in self { if let value = await body(index) { values.append(value) } }
        return values
    }
}
