import GoHubTestSupport
import Testing

@testable import GoHubCore

/// The exact bytes of every event, as documented in `Docs/Protocol.md`.
struct EncodedEventTests {
    private static let id = CommandID.named("7")
    private static let head = Position(epoch: Epoch("e1"), offset: 5)
    private static let alice = Member(user: .alice, name: "Alice A.")
    private static let bob = Member(user: .bob)
    private static let message = StoredMessage(
        offset: 5, id: .named("m"), from: alice, at: WallTime(milliseconds: 1000), text: "hi \"you\"\n")
    private static let answer = StoredMessage(
        offset: 6, id: .named("n"), from: bob, at: WallTime(milliseconds: 2000), text: "yes", replyTo: 5)
    private static let messageJSON =
        #"{"offset":5,"id":"m","from":"alice","name":"Alice A.","at":1000,"text":"hi \"you\"\n"}"#
    private static let answerJSON = #"{"offset":6,"id":"n","from":"bob","at":2000,"text":"yes","replyTo":5}"#

    private static let files = [
        AttachedFile(
            id: .named("AAAAAAAAAAAAAAAAAAAAAA"), name: FileName(cleaning: "cat.png"), type: .png, size: 48_213,
            image: ImageProperties(width: 640, height: 480, placeholder: "a/+=", hasPreview: true),
            alt: AltText("a \"cat\"")),
        AttachedFile(
            id: .named("h1Qv0m3nT2S4k6d8f0a2cA"), name: FileName(cleaning: "ä.pdf"), type: .pdf, size: 0),
        AttachedFile(
            id: .named("BBBBBBBBBBBBBBBBBBBBBA"), name: FileName(cleaning: "b"), type: .gif, size: 1,
            image: ImageProperties(width: 1, height: 2)),
    ]
    private static let filesJSON =
        #""files":[{"id":"AAAAAAAAAAAAAAAAAAAAAA","name":"cat.png","type":"image/png","size":48213,"width":640,"#
        + #""height":480,"placeholder":"a/+=","preview":true,"alt":"a \"cat\""},"#
        + #"{"id":"h1Qv0m3nT2S4k6d8f0a2cA","name":"ä.pdf","type":"application/pdf","size":0},"#
        + #"{"id":"BBBBBBBBBBBBBBBBBBBBBA","name":"b","type":"image/gif","size":1,"width":1,"height":2}]"#
    private static let holding = answer.with(text: "", .attached(files, nil))
    private static let holdingChanged = answer.with(
        text: "new",
        .attached([files[1]], Amendments(edited: .init(offset: 7, at: WallTime(milliseconds: 3000)))))

    private static let plus = Reaction.named("+1")
    private static let changed = [
        StoredMessage(
            offset: 1, id: .named("m"), from: alice, at: WallTime(milliseconds: 1000), text: "", replyTo: 9
        ).with(
            text: "new",
            .amended(
                Amendments(
                    edited: .init(offset: 3, at: WallTime(milliseconds: 3000)),
                    reactions: [
                        .init(plus, count: 7, users: [.bob, .carol]), .init(Reaction.named("\""), count: 1, users: []),
                    ]))),
        StoredMessage(offset: 2, id: .named("m"), from: alice, at: WallTime(milliseconds: 1000), text: "gone").with(
            text: "", .amended(Amendments(deleted: .init(offset: 4, at: WallTime(milliseconds: 4000))))),
        change(.edited, text: "new", of: 1, at: 3), change(.edited), change(.deleted),
    ]

    private static func change(
        _ kind: MessageChange.Kind, text: String = "", of target: Offset = 2, at offset: Offset = 4
    ) -> StoredMessage {
        StoredMessage(
            offset: offset, at: WallTime(milliseconds: 2000),
            MessageContent(id: .named("n"), from: bob, text: text, kind: .change(MessageChange(of: target, kind))))
    }

    static let events: [(Event, String)] = [
        (
            .welcome(
                .init(
                    session: ClusterSessionID(node: .a, session: .number(9, edge: 1)), tenant: .standard, user: .alice,
                    name: "Alice A.", device: .phone, node: "node-1", serverTime: WallTime(milliseconds: 1),
                    heartbeat: 25_000,
                    expiresAt: WallTime(milliseconds: 2),
                    limits: .init(
                        messageBytes: 1, textBytes: 2, rooms: 3, roomsPerJoin: 8, pageMessages: 4, commandsInFlight: 5,
                        commandsPerMinute: 6, commandsBurst: 7))),
            #"{"op":"welcome","session":"000000000000000a-1-9","tenant":"default","user":"alice","#
                + #""name":"Alice A.","device":"phone","#
                + #""node":"node-1","serverTime":1,"heartbeatMs":25000,"expiresAt":2,"limits":{"messageBytes":1,"#
                + #""textBytes":2,"rooms":3,"roomsPerJoin":8,"pageMessages":4,"commandsInFlight":5,"#
                + #""commandsPerMinute":6,"commandsBurst":7}}"#
        ),
        (.refreshed(id: id, expiresAt: WallTime(milliseconds: 9)), #"{"op":"refreshed","id":"7","expiresAt":9}"#),
        (.refreshed(id: id, expiresAt: nil), #"{"op":"refreshed","id":"7"}"#),
        (
            .joined(
                .init(
                    id: id, room: .lobby, head: head, recovered: true, messages: [message, answer],
                    members: .init(listed: [alice, bob], count: 3),
                    receipts: [UserReceipt(user: .alice, Receipt(delivered: 5, seen: 4))])),
            #"{"op":"joined","id":"7","room":"lobby","epoch":"e1","offset":5,"recovered":true,"messages":["#
                + "\(messageJSON),\(answerJSON)"
                + #"],"members":[{"user":"alice","name":"Alice A."},{"user":"bob"}],"count":3,"#
                + #""receipts":[{"user":"alice","delivered":5,"seen":4}]}"#
        ),
        (
            .joined(.init(id: id, room: .lobby, head: head, recovered: false, messages: [], members: .init())),
            #"{"op":"joined","id":"7","room":"lobby","epoch":"e1","offset":5,"recovered":false,"messages":[],"#
                + #""members":[],"count":0,"receipts":[]}"#
        ),
        (
            .receipt(
                room: .lobby,
                [UserReceipt(user: .alice, Receipt(seen: 5)), UserReceipt(user: .bob, Receipt(delivered: 4))]),
            #"{"op":"receipt","room":"lobby","receipts":[{"user":"alice","delivered":5,"seen":5},"#
                + #"{"user":"bob","delivered":4,"seen":0}]}"#
        ),
        (
            .rooms(
                id: id,
                RoomsPage(
                    rooms: [
                        RoomsPage.Room(room: .direct(.alice, .bob), head: head, receipt: Receipt(seen: 5), last: nil),
                        RoomsPage.Room(
                            room: .lobby, head: head, receipt: Receipt(delivered: 4, seen: 3), last: message),
                    ], more: true)),
            #"{"op":"rooms","id":"7","rooms":[{"room":"dm:alice:bob","epoch":"e1","offset":5,"delivered":5,"seen":5,"#
                + #""unread":0},{"room":"lobby","epoch":"e1","offset":5,"delivered":4,"seen":3,"unread":2,"last":"#
                + messageJSON + #"}],"more":true}"#
        ),
        (.rooms(id: id, RoomsPage()), #"{"op":"rooms","id":"7","rooms":[],"more":false}"#),
        (.left(id: id, room: .lobby, reason: nil), #"{"op":"left","id":"7","room":"lobby"}"#),
        (.left(id: nil, room: .lobby, reason: "why"), #"{"op":"left","room":"lobby","reason":"why"}"#),
        (.message(room: .lobby, message), #"{"op":"message","room":"lobby","# + messageJSON.dropFirst()),
        (
            .message(room: .lobby, holding),
            #"{"op":"message","room":"lobby","offset":6,"id":"n","from":"bob","at":2000,"text":"","replyTo":5,"#
                + filesJSON + "}"
        ),
        (
            .directMessage(room: .direct(.alice, .bob), epoch: Epoch("e1"), holding),
            #"{"op":"message","room":"dm:alice:bob","epoch":"e1","offset":6,"id":"n","from":"bob","at":2000,"#
                + #""text":"","replyTo":5,"# + filesJSON + "}"
        ),
        (
            .page(
                id: id, room: .lobby, HistoryPage(head: head, messages: [holding, holdingChanged], more: false)),
            #"{"op":"page","id":"7","room":"lobby","epoch":"e1","offset":5,"messages":["#
                + #"{"offset":6,"id":"n","from":"bob","at":2000,"text":"","replyTo":5,"# + filesJSON + "},"
                + #"{"offset":6,"id":"n","from":"bob","at":2000,"text":"new","replyTo":5,"files":["#
                + #"{"id":"h1Qv0m3nT2S4k6d8f0a2cA","name":"ä.pdf","type":"application/pdf","size":0}],"#
                + #""edited":7,"editedAt":3000}],"more":false}"#
        ),
        (.message(room: .lobby, answer), #"{"op":"message","room":"lobby","# + answerJSON.dropFirst()),
        (
            .directMessage(room: .direct(.alice, .bob), epoch: Epoch("e1"), message),
            #"{"op":"message","room":"dm:alice:bob","epoch":"e1","# + messageJSON.dropFirst()
        ),
        (
            .ephemeral(
                room: .lobby, .init(id: id, from: alice, at: WallTime(milliseconds: 1), text: "psst")),
            #"{"op":"message","room":"lobby","id":"7","from":"alice","name":"Alice A.","at":1,"text":"psst","ephemeral":true}"#
        ),
        (
            .ack(.init(id: id, room: .lobby, position: head, at: WallTime(milliseconds: 1), isDuplicate: false)),
            #"{"op":"ack","id":"7","room":"lobby","epoch":"e1","offset":5,"at":1}"#
        ),
        (
            .ack(.init(id: id, room: .lobby, position: head, at: WallTime(milliseconds: 1), isDuplicate: true)),
            #"{"op":"ack","id":"7","room":"lobby","epoch":"e1","offset":5,"at":1,"duplicate":true}"#
        ),
        (
            .ack(.init(id: id, room: .lobby, position: nil, at: WallTime(milliseconds: 1), isDuplicate: false)),
            #"{"op":"ack","id":"7","room":"lobby","at":1}"#
        ),
        (
            .page(id: id, room: .lobby, HistoryPage(head: head, messages: [message], more: true)),
            #"{"op":"page","id":"7","room":"lobby","epoch":"e1","offset":5,"messages":[\#(messageJSON)],"more":true}"#
        ),
        (
            .page(id: id, room: .lobby, HistoryPage(head: head, messages: changed, more: false)),
            #"{"op":"page","id":"7","room":"lobby","epoch":"e1","offset":5,"messages":["#
                + #"{"offset":1,"id":"m","from":"alice","name":"Alice A.","at":1000,"text":"new","replyTo":9,"#
                + #""edited":3,"editedAt":3000,"reactions":[{"reaction":"+1","count":7,"by":["bob","carol"]},"#
                + #"{"reaction":"\"","count":1,"by":[]}]},"#
                + #"{"offset":2,"id":"m","from":"alice","name":"Alice A.","at":1000,"deleted":4,"deletedAt":4000},"#
                + #"{"op":"edited","offset":3,"id":"n","from":"bob","at":2000,"of":1,"text":"new"},"#
                + #"{"op":"edited","offset":4,"id":"n","from":"bob","at":2000,"of":2},"#
                + #"{"op":"deleted","offset":4,"id":"n","from":"bob","at":2000,"of":2}],"more":false}"#
        ),
        (
            .uploadReady(id: id, Event.TransferProgress(transfer: 3, offset: 5, credit: 262_144)),
            #"{"op":"uploadReady","id":"7","transfer":3,"offset":5,"credit":262144}"#
        ),
        (
            .uploadProgress(Event.TransferProgress(transfer: .max, offset: .max, credit: 0)),
            #"{"op":"uploadProgress","transfer":4294967295,"offset":18446744073709551615,"credit":0}"#
        ),
        (
            .uploaded(id: id, files[1]),
            #"{"op":"uploaded","id":"7","file":{"id":"h1Qv0m3nT2S4k6d8f0a2cA","name":"ä.pdf","#
                + #""type":"application/pdf","size":0}}"#
        ),
        (.uploadCancelled(id: id), #"{"op":"uploadCancelled","id":"7"}"#),
        (
            .message(room: .lobby, change(.edited, text: "new")),
            #"{"op":"edited","room":"lobby","offset":4,"id":"n","from":"bob","at":2000,"of":2,"text":"new"}"#
        ),
        (
            .message(room: .lobby, change(.deleted)),
            #"{"op":"deleted","room":"lobby","offset":4,"id":"n","from":"bob","at":2000,"of":2}"#
        ),
        (
            .message(room: .lobby, change(.reaction(plus, isRemoval: false, count: 3))),
            #"{"op":"reaction","room":"lobby","offset":4,"id":"n","from":"bob","at":2000,"of":2,"reaction":"+1","count":3}"#
        ),
        (
            .directMessage(
                room: .direct(.alice, .bob), epoch: Epoch("e1"), change(.reaction(plus, isRemoval: true, count: 0))),
            #"{"op":"reaction","room":"dm:alice:bob","epoch":"e1","offset":4,"id":"n","from":"bob","at":2000,"of":2,"#
                + #""reaction":"+1","count":0,"removed":true}"#
        ),
        (
            .ack(
                .init(
                    id: id, room: .lobby, position: nil, at: WallTime(milliseconds: 1), isDuplicate: false,
                    isUnchanged: true)),
            #"{"op":"ack","id":"7","room":"lobby","at":1,"unchanged":true}"#
        ),
        (
            .presence(.init(room: .lobby, joined: [alice, bob], left: [.carol], count: 2)),
            #"{"op":"presence","room":"lobby","joined":[{"user":"alice","name":"Alice A."},{"user":"bob"}],"#
                + #""left":["carol"],"count":2}"#
        ),
        (
            .members(id: id, room: .lobby, .init(listed: [bob], count: 1)),
            #"{"op":"members","id":"7","room":"lobby","members":[{"user":"bob"}],"count":1}"#
        ),
        (
            .typing(room: .direct(.alice, .named("b:b")), user: .bob, active: true),
            #"{"op":"typing","room":"dm:alice:b%3Ab","user":"bob","active":true}"#
        ),
        (.notice(id: id, room: .lobby, text: "t"), #"{"op":"notice","id":"7","room":"lobby","text":"t"}"#),
        (.notice(id: nil, room: nil, text: "t"), #"{"op":"notice","text":"t"}"#),
        (
            .error(id: id, code: .rateLimited, message: "slow", retryAfter: 50),
            #"{"op":"error","id":"7","code":"rate_limited","message":"slow","retryAfterMs":50}"#
        ),
        (.error(id: nil, code: .badRequest, message: "m"), #"{"op":"error","code":"bad_request","message":"m"}"#),
        (.ping, #"{"op":"ping"}"#),
        (.drain(reconnectAfter: 0...500), #"{"op":"drain","reconnectAfterMs":{"min":0,"max":500}}"#),
    ]

    @Test(arguments: events)
    func isWrittenAs(_ event: Event, _ json: String) {
        #expect(EncodedEvent(event).text == json)
    }

    @Test func errorCodesAreStable() {
        let codes: [ErrorCode] = [
            .badRequest, .unauthorized, .forbidden, .notFound, .rateLimited, .tooLarge, .conflict, .unavailable,
            .internal,
        ]
        #expect(
            codes.map(\.rawValue) == [
                "bad_request", "unauthorized", "forbidden", "not_found", "rate_limited", "too_large", "conflict",
                "unavailable", "internal",
            ])
    }

    @Test func onlyRepliesCarryAnID() {
        for (event, json) in Self.events {
            let isReply: Bool =
                switch event {
                case .message, .ephemeral: false
                default: json.contains(#""id":"7""#)
                }
            #expect((event.id == Self.id) == isReply, "\(json)")
        }
    }

    /// The largest page that `Limits` allows fits into the queue of the client that requested it.
    @Test func largestPageFitsTheQueue() {
        let limits = Limits()
        let text = String(repeating: "\u{1}", count: limits.textBytesMax)
        let name = String(repeating: "😀", count: 64)
        let user = UserID.named(String(repeating: "\"", count: UserID.bytesMax))
        let messages = (0..<UInt64(limits.pageBytesMax / limits.textBytesMax)).map {
            StoredMessage(
                offset: .max - $0, id: .named("m"), from: Member(user: user, name: name), at: .ms(0), text: text)
        }
        let listed = [Member](repeating: Member(user: user, name: name), count: limits.membersListedMax)
        let joined = Event.joined(
            .init(
                id: Self.id, room: .lobby, head: Self.head, recovered: true, messages: messages,
                members: .init(listed: listed, count: 1_000_000),
                receipts: [UserReceipt](
                    repeating: UserReceipt(user: user, Receipt(seen: .max)), count: limits.receiptUsersMax)))
        #expect(EncodedEvent(joined).byteCount < limits.queueBytesMax)
    }
}
