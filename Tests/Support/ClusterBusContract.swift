package import GoHubCore
internal import Testing

/// The contract of every `ClusterBus`, one check at a time; the same for each way to carry messages.
///
/// ```swift
/// @Test(.timeLimit(.minutes(1)), arguments: ClusterBusContract.checks)
/// func keepsTheContract(_ check: ClusterBusContract) async throws {
///     try await check.run(on: TestInMemoryBus())
/// }
/// ```
///
/// The time limit is the test's: a check waits for events for as long as it takes.
package struct ClusterBusContract: Sendable, CustomTestStringConvertible {
    private let name: String
    private let body: @Sendable (BusFixture) async throws -> Void

    package var testDescription: String { name }

    package func run(on bus: any TestBus) async throws { try await body(BusFixture(bus: bus)) }

    fileprivate init(_ name: String, _ body: @escaping @Sendable (BusFixture) async throws -> Void) {
        self.name = name
        self.body = body
    }

    package static let checks: [ClusterBusContract] = links + subscriptions + messages
}

/// A bus that nobody else uses.
package protocol TestBus: Sendable {
    /// Whether `published` tells the number of receivers.
    var countsReceivers: Bool { get }

    func link(of node: NodeID) throws -> any ClusterBus
    /// Ends a node's link from outside; it comes back.
    func breakLink(of node: NodeID) async throws
}

/// The bus in one process.
package struct TestInMemoryBus: TestBus {
    private let bus = InMemoryBus()

    package init() {}

    package var countsReceivers: Bool { true }

    package func link(of node: NodeID) -> any ClusterBus { bus.link(of: node.incarnation) }

    package func breakLink(of node: NodeID) {
        bus.reset(node.incarnation)
        bus.reconnect(node.incarnation)
    }
}

/// A bus and its nodes.
private struct BusFixture: Sendable {
    let bus: any TestBus
    let room = ClusterTopic.room(.lobby)

    /// A node with a link that works, and subscriptions.
    func node(_ number: UInt64, subscribingTo topics: [ClusterTopic] = []) async throws -> BusNode {
        let node = try BusNode(number) { try bus.link(of: $0) }
        #expect(await node.next() == .restored)
        if !topics.isEmpty { await node.subscribe(topics) }
        return node
    }
}

// MARK: Links

private let links: [ClusterBusContract] = [
    ClusterBusContract("a link that is lost comes back without subscriptions") { fixture in
        let (a, b) = (try await fixture.node(1), try await fixture.node(2, subscribingTo: [fixture.room]))
        try await fixture.bus.breakLink(of: b.id)
        #expect(await b.next() == .lost)
        #expect(await b.next() == .restored)
        a.publish(1, to: fixture.room)
        await a.expectPublished(1, receivers: fixture.bus.countsReceivers ? 0 : nil)
        await b.subscribe([fixture.room])
        a.publish(2, to: fixture.room)
        #expect(await b.heard(1) == [2])
    },
    ClusterBusContract("other nodes keep their links") { fixture in
        let a = try await fixture.node(1)
        let (b, c) = (
            try await fixture.node(2, subscribingTo: [fixture.room]),
            try await fixture.node(3, subscribingTo: [fixture.room])
        )
        try await fixture.bus.breakLink(of: b.id)
        #expect(await b.next() == .lost)
        a.publish(1, to: fixture.room)
        #expect(await c.heard(1) == [1])
    },
    ClusterBusContract("what was published before the end is heard, and the node hears nothing more") { fixture in
        let (a, b) = (
            try await fixture.node(1, subscribingTo: [.all]), try await fixture.node(2, subscribingTo: [.all])
        )
        for number in 1...100 as ClosedRange<UInt64> { a.publish(number, to: .all) }
        a.stop()
        let count = a.count
        #expect(await b.heard(100) == Array(1...100))
        b.publish(1, to: .all)
        await b.expectPublished(1, receivers: nil)
        #expect(a.count == count)
    },
]

// MARK: Subscriptions

private let subscriptions: [ClusterBusContract] = [
    ClusterBusContract("every topic is reported as subscribed, also if it was") { fixture in
        let node = try await fixture.node(1, subscribingTo: [.all, fixture.room])
        await node.subscribe([fixture.room, .user(UserKey(tenant: .standard, user: .alice))])
    },
    ClusterBusContract("many topics at once") { fixture in
        let rooms = (0..<2_000).map { ClusterTopic.room(.named("room-\($0)")) }
        let (a, b) = (try await fixture.node(1), try await fixture.node(2, subscribingTo: rooms))
        for number in [0, 999, 1_999] { a.publish(UInt64(number), to: rooms[number]) }
        #expect(await b.heard(3).sorted() == [0, 999, 1_999])
    },
    ClusterBusContract("subscribers hear a message, and nobody else does") { fixture in
        let (a, b) = (
            try await fixture.node(1, subscribingTo: [fixture.room]),
            try await fixture.node(2, subscribingTo: [fixture.room])
        )
        let c = try await fixture.node(3, subscribingTo: [.room(.named("other")), .all])
        a.publish(1, to: fixture.room)
        a.publish(2, to: .all)
        #expect(await b.heard(1) == [1])
        #expect(await c.heard(1) == [2])
        // The sender has heard neither, by the time that the answers are there.
        await a.expectPublished(1, receivers: fixture.bus.countsReceivers ? 1 : nil)
        await a.expectPublished(2, receivers: fixture.bus.countsReceivers ? 1 : nil)
    },
    ClusterBusContract("a topic that is dropped is not heard") { fixture in
        let a = try await fixture.node(1)
        let b = try await fixture.node(2, subscribingTo: [fixture.room, .all])
        b.bus.unsubscribe([fixture.room])
        // Requests are carried out in their order.
        await b.subscribe([.user(UserKey(tenant: .standard, user: .alice))])
        a.publish(1, to: fixture.room)
        a.publish(2, to: .all)
        #expect(await b.heard(1) == [2])
        await b.subscribe([fixture.room])
        a.publish(3, to: fixture.room)
        #expect(await b.heard(1) == [3])
    },
    ClusterBusContract("a listener may call the bus") { fixture in
        let a = try await fixture.node(1)
        let b = try BusNode(2, subscribesWhenRestored: [fixture.room]) { try fixture.bus.link(of: $0) }
        #expect(await b.next() == .restored)
        #expect(await b.next() == .subscribed([fixture.room]))
        a.publish(1, to: fixture.room)
        #expect(await b.heard(1) == [1])
    },
]

// MARK: Messages

private let messages: [ClusterBusContract] = [
    ClusterBusContract("messages of a node to a topic keep their order") { fixture in
        let (a, b) = (try await fixture.node(1), try await fixture.node(2, subscribingTo: [fixture.room]))
        for number in 1...2_000 as ClosedRange<UInt64> { a.publish(number, to: fixture.room) }
        #expect(await b.heard(2_000) == Array(1...2_000))
        for number in 1...2_000 as ClosedRange<UInt64> {
            await a.expectPublished(number, receivers: fixture.bus.countsReceivers ? 1 : nil)
        }
    },
    ClusterBusContract("messages of several threads are all heard, one event at a time") { fixture in
        let b = try await fixture.node(2, subscribingTo: [fixture.room])
        let a = try await fixture.node(1)
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<4 as Range<UInt64> {
                group.addTask {
                    for number in 0..<200 as Range<UInt64> { a.publish(thread * 1_000 + number, to: fixture.room) }
                }
            }
        }
        let heard = await b.heard(800)
        for thread in 0..<4 as Range<UInt64> {
            #expect(heard.filter { $0 / 1_000 == thread } == (0..<200).map { thread * 1_000 + $0 })
        }
    },
    ClusterBusContract("a message arrives as it was, with its topic, sender and time") { fixture in
        let a = try await fixture.node(1)
        let user = UserKey(tenant: .named("t.1"), user: .named("zoë %"))
        let room = RoomID(tenant: user.tenant, name: .direct(user.user, .alice))
        let b = try await fixture.node(2)
        let topics: [ClusterTopic] = [.all, .node(b.id.incarnation), .room(room), .user(user)]
        await b.subscribe(topics)
        let member = Member(user: user.user, name: "Zoë")
        let entry = StoredMessage(
            offset: 7, at: .ms(9), MessageContent(id: .named("c"), from: member, text: "naïve \u{1F600}\r\n\0"))
        let sent: [(ClusterTopic, ClusterMessage)] = [
            (.all, .ask(number: .max, .rooms(user.tenant))),
            (.node(b.id.incarnation), .reply(number: 1, .removed(sessions: 3))),
            (.room(room), .entries(RoomEntries(Epoch("e1"), [entry], presence: 5))),
            (.user(user), .directTyped(room.name, .alice, isActive: true)),
        ]
        for (index, (topic, message)) in sent.enumerated() {
            a.bus.publish(message, to: topic, number: UInt64(index), at: HybridTime(value: UInt64(index) + 1))
        }
        var heard: [ClusterFrame] = []
        while heard.count < sent.count, case .heard(let frame)? = await b.next() { heard.append(frame) }
        let expected = sent.enumerated().map { index, pair in
            ClusterFrame(from: a.id.incarnation, time: HybridTime(value: UInt64(index) + 1), topic: pair.0, pair.1)
        }
        #expect(Set(heard) == Set(expected))
    },
]
