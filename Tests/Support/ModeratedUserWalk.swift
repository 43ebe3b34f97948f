public import GoHubCore
internal import Testing

/// Makes a banned and a muted user send every command that exists, and checks all events that they receive.
///
/// A new `Command` must be added to the switches below, so that no answer is forgotten.
public struct ModeratedUserWalk: Sendable {
    private enum Op: CaseIterable {
        case hello, refresh, join, joinMany, leave, send, change, history, typing, who, receipt, rooms, upload,
            cancelUpload, pong

        init(_ command: Command) {
            switch command {
            case .hello: self = .hello
            case .refresh: self = .refresh
            case .join: self = .join
            case .joinMany: self = .joinMany
            case .leave: self = .leave
            case .send: self = .send
            case .change: self = .change
            case .history: self = .history
            case .typing: self = .typing
            case .who: self = .who
            case .receipt: self = .receipt
            case .rooms: self = .rooms
            case .upload: self = .upload
            case .cancelUpload: self = .cancelUpload
            case .pong: self = .pong
            }
        }

        /// Commands as clients send them, about the lobby. `ID` stands for an id.
        var texts: [String] {
            switch self {
            case .hello: [#""op":"hello""#]
            case .refresh: [#""op":"refresh","id":"ID","token":"x""#]
            case .join:
                [
                    #""op":"join","id":"ID","room":"lobby","limit":50"#,
                    #""op":"join","id":"ID","room":"lobby","since":{"epoch":"EPOCH","offset":1}"#,
                ]
            case .joinMany: [#""op":"join","rooms":[{"id":"ID","room":"lobby","limit":50}]"#]
            case .leave: [#""op":"leave","id":"ID","room":"lobby""#]
            case .send:
                ["words", "/me waves", "/who", "/join lobby", "/leave lobby", "/leave", "/kick alice", "/shrug"].map {
                    #""op":"send","id":"ID","room":"lobby","text":"\#($0)""#
                } + [#""op":"send","id":"ID","room":"lobby","text":"words","ephemeral":true"#]
            case .change:
                [
                    #""op":"react","id":"ID","room":"lobby","offset":2,"reaction":"x""#,
                    #""op":"edit","id":"ID","room":"lobby","offset":1,"text":"words""#,
                    #""op":"delete","id":"ID","room":"lobby","offset":1"#,
                ]
            case .history:
                [
                    #""op":"history","id":"ID","room":"lobby""#,
                    #""op":"history","id":"ID","room":"lobby","after":1"#,
                ]
            case .typing: [#""op":"typing","room":"lobby","active":true"#]
            case .who: [#""op":"who","id":"ID","room":"lobby""#]
            case .receipt: [#""op":"seen","room":"lobby","offset":2"#]
            case .rooms: [#""op":"rooms","id":"ID""#]
            case .upload: [#""op":"upload","id":"ID","room":"lobby","name":"a","size":1"#]
            case .cancelUpload: [#""op":"cancelUpload","id":"ID","transfer":1"#]
            case .pong: [#""op":"pong""#]
            }
        }
    }

    private static let secret = "what was said after"

    private let store: any MessageStore
    private let tenant = TenantID.named("t\(UInt64.random(in: .min ... .max))")

    public init(_ store: any MessageStore) {
        self.store = store
    }

    /// A client that keeps every event.
    private final class Client {
        private let connection: Hub.Connection
        private let outbox: Outbox
        private(set) var heard: [EncodedEvent] = []
        private var lastID = 0

        init(_ hub: Hub, _ credentials: Credentials, device: String) async throws {
            outbox = Outbox()
            connection = hub.attach(outbox, address: "192.0.2.1", credentials: credentials)
            await connection.receive(#"{"op":"hello","device":"\#(device)"}"#)
            try await hear { if case .welcome = $0 { true } else { false } }
        }

        /// Sends a command, and waits for its reply, if it has one.
        @discardableResult
        func say(_ text: String) async throws -> Event? {
            lastID += 1
            let id = CommandID.named("c\(lastID)")
            await connection.receive("{\(text.replacing("ID", with: id.value))}")
            guard text.contains("\"ID\"") else { return nil }
            return try await hear { $0.id == id }
        }

        @discardableResult
        func hear(_ isWanted: (Event) -> Bool) async throws -> Event {
            while case .event(let event) = await outbox.next() {
                heard.append(event)
                if isWanted(event.event) { return event.event }
            }
            throw Ended()
        }

        func forget() { heard = [] }

        struct Ended: Error {}
    }

    private func makeHub() -> Hub { Hub(context: SessionContext(limiter: RateLimiter(.unlimited)), store: store) }

    private func client(_ hub: Hub, _ user: UserID, _ device: String = "d1") async throws -> Client {
        let grants: Grants = user == .alice ? .moderator : .participant
        return try await Client(hub, Credentials(tenant: tenant, user: user, grants: grants), device: device)
    }

    /// Runs on a hub, then on another one with the same store, whose room is first empty, and then has a member.
    public func run() async throws {
        let hub = makeHub()
        let alice = try await client(hub, .alice)
        let (bob, carol) = (try await client(hub, .bob), try await client(hub, .carol))
        for client in [alice, bob, carol] { try await client.say(#""op":"join","id":"ID","room":"lobby""#) }
        try await bob.say(#""op":"send","id":"ID","room":"lobby","text":"mine""#)
        try await carol.say(#""op":"send","id":"ID","room":"lobby","text":"hers""#)
        try await alice.say(#""op":"send","id":"ID","room":"lobby","text":"/ban bob 100""#)
        try await alice.say(#""op":"send","id":"ID","room":"lobby","text":"/mute carol 100""#)
        try await bob.hear { if case .left = $0 { true } else { false } }
        try await alice.say(#""op":"send","id":"ID","room":"lobby","text":"\#(Self.secret)""#)
        try await walk(banned: bob)
        try await walk(muted: carol, inRoom: true)

        let next = makeHub()
        let (bobAgain, carolAgain) = (try await client(next, .bob), try await client(next, .carol))
        try await walk(banned: bobAgain)
        let aliceAgain = try await client(next, .alice)
        try await aliceAgain.say(#""op":"join","id":"ID","room":"lobby""#)
        try await walk(banned: bobAgain)
        try await walk(muted: carolAgain, inRoom: false)
        let page = try await aliceAgain.say(#""op":"history","id":"ID","room":"lobby""#)
        guard case .page(_, _, let history)? = page else {
            Issue.record("no history")
            return
        }
        #expect(history.messages.map(\.text) == ["mine", "hers", Self.secret], "nobody else has written")
    }

    /// Sends every op; no answer may reveal anything of the room.
    private func walk(banned bob: Client) async throws {
        let epoch = await epoch
        for op in Op.allCases {
            for text in op.texts {
                bob.forget()
                let said = text.replacing("EPOCH", with: epoch)
                expectDecodes(said, op)
                let reply = try await bob.say(said)
                switch reply {
                case .error, nil: break
                case .rooms(_, let page): #expect(page.rooms == [], "\(text)")
                default: Issue.record("a banned user says \(text) and gets \(String(describing: reply))")
                }
                // Once this is answered, all earlier events have arrived.
                try await bob.say(#""op":"rooms","id":"ID""#)
                for event in bob.heard {
                    #expect(!event.text.contains(Self.secret), "\(text)")
                    switch event.event {
                    case .error, .rooms: break
                    default: Issue.record("a banned user says \(text) and is told \(event.text)")
                    }
                }
            }
        }
    }

    /// A muted user reads as before, and no other member receives anything from them.
    private func walk(muted carol: Client, inRoom: Bool) async throws {
        let epoch = await epoch
        for op in Op.allCases where op != .leave && op != .hello {
            for text in op.texts where !text.contains("/leave") {
                if inRoom || (op != .join && op != .joinMany) {
                    try await carol.say(#""op":"join","id":"ID","room":"lobby""#)
                }
                let reply = try await carol.say(text.replacing("EPOCH", with: epoch))
                switch (op, reply) {
                case (.join, .joined?), (.joinMany, .joined?), (.history, .page?), (.who, .members?), (.rooms, .rooms?):
                    break
                // Slash commands that only read.
                case (.send, .joined?), (.send, .members?): break
                case (_, .error?), (_, nil): break
                default: Issue.record("a muted user says \(text) and gets \(String(describing: reply))")
                }
                if op == .history || op == .join || op == .joinMany || op == .rooms {
                    #expect(reply.map { if case .error = $0 { true } else { false } } == false, "\(text)")
                }
                if op == .change || (op == .send && text.contains("words")) {
                    guard case .error(_, let code, _, _)? = reply else { continue }
                    #expect(code == .forbidden, "\(text)")
                }
            }
        }
    }

    private func expectDecodes(_ text: String, _ op: Op) {
        let decoded = try? CommandDecoder(limits: Limits()).decode("{\(text)}")
        #expect(decoded.map { Op($0) } == op, "\(text)")
    }

    private var epoch: String {
        get async {
            let request = HistoryRequest(
                room: RoomID(tenant: tenant, name: .lobby), range: .newest, messagesMax: 0, bytesMax: 0)
            return (try? await store.read(request).get())?.head.epoch.value ?? ""
        }
    }
}
