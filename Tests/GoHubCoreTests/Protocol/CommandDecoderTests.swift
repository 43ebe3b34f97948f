import GoHubTestSupport
import Testing

@testable import GoHubCore

struct CommandDecoderTests {
    private let decoder = CommandDecoder(limits: Limits())
    private let id = CommandID.named("1")

    // MARK: Every op

    @Test func hello() throws {
        try #expect(decoder.decode(#"{"op":"hello"}"#) == .hello(.init()))
        try #expect(
            decoder.decode(#"{"op":"hello","token":"t","device":"phone","user":"alice"}"#)
                == .hello(.init(token: "t", device: .phone, user: .alice)))
    }

    @Test func refresh() throws {
        try #expect(decoder.decode(#"{"op":"refresh","id":"1","token":"t"}"#) == .refresh(id: id, token: "t"))
    }

    @Test func join() throws {
        try #expect(
            decoder.decode(#"{"op":"join","id":"1","room":"lobby"}"#) == .join(.init(id: id, room: .lobby)))
        try #expect(
            decoder.decode(#"{"op":"join","id":"1","room":"lobby","since":{"epoch":"e","offset":7},"limit":20}"#)
                == .join(.init(id: id, room: .lobby, since: Position(epoch: Epoch("e"), offset: 7), limit: 20)))
    }

    @Test func joinOfMany() throws {
        let text = #"{"op":"join","rooms":[{"id":"1","room":"lobby","since":{"epoch":"e","offset":7}},"#
        try #expect(
            decoder.decode(text + #"{"room":"dm:alice:bob","limit":20,"x":[1],"id":"2"}]}"#)
                == .joinMany(
                    id: nil,
                    [
                        .init(id: id, room: .lobby, since: Position(epoch: Epoch("e"), offset: 7)),
                        .init(id: .named("2"), room: .direct(.alice, .bob), limit: 20),
                    ]))
    }

    @Test(arguments: [
        (#""rooms":[]"#, ErrorCode.badRequest, "Field \"rooms\" is empty."),
        (#""rooms":{}"#, .badRequest, "Field \"rooms\" has the wrong type or format."),
        (#""rooms":[1]"#, .badRequest, "Field \"rooms\" has the wrong type or format."),
        (#""rooms":[{"id":"2","id":"2","room":"a"}]"#, .badRequest, "Field \"rooms\" has the wrong type or format."),
        (#""rooms":[{"room":"a"}]"#, .badRequest, "Field \"id\" must be a string of 1–64 bytes."),
        (#""rooms":[{"id":"2"}]"#, .badRequest, "Field \"room\" is missing."),
        (#""rooms":[{"id":"2","room":"A"}]"#, .badRequest, "Field \"room\" is not a room name."),
        (
            #""rooms":[{"id":"2","room":"a","since":{}}]"#, .badRequest,
            "Field \"since\" needs \"epoch\" and \"offset\"."
        ),
        (#""rooms":[{"id":"2","room":"a"}],"room":"a""#, .badRequest, "A join takes either \"room\" or \"rooms\"."),
        (#""rooms":[{"id":"2","room":"a"}],"limit":5"#, .badRequest, "A join takes either \"room\" or \"rooms\"."),
    ])
    func joinOfManyRoomsIsRefusedAsAWhole(_ fields: String, code: ErrorCode, message: String) {
        #expect(throws: CommandDecoder.Failure(id: id, code: code, message: message)) {
            try decoder.decode(#"{"op":"join","id":"1",\#(fields)}"#)
        }
    }

    @Test func roomsPerJoinAreLimited() throws {
        func text(_ count: Int) -> String {
            let rooms = (0..<count).map { #"{"id":"\#($0)","room":"r\#($0)"}"# }.joined(separator: ",")
            return #"{"op":"join","rooms":[\#(rooms)]}"#
        }
        guard case .joinMany(nil, let joins) = try decoder.decode(text(100)) else {
            Issue.record("not a join of many")
            return
        }
        #expect(joins.count == 100)
        let failure = CommandDecoder.Failure(id: nil, code: .tooLarge, message: "A join names at most 100 rooms.")
        for count in [101, 1000] { #expect(throws: failure) { try decoder.decode(text(count)) } }
    }

    @Test func leave() throws {
        try #expect(decoder.decode(#"{"op":"leave","id":"1","room":"lobby"}"#) == .leave(id: id, room: .lobby))
    }

    @Test func receipts() throws {
        try #expect(
            decoder.decode(#"{"op":"delivered","room":"lobby","offset":7}"#)
                == .receipt(room: .lobby, Receipt(delivered: 7)))
        try #expect(
            decoder.decode(#"{"op":"seen","room":"dm:alice:bob","offset":18446744073709551615}"#)
                == .receipt(room: .direct(.alice, .bob), Receipt(seen: .max)))
        for op in ["delivered", "seen"] {
            #expect(throws: CommandDecoder.Failure(id: nil, code: .badRequest, message: "Field \"offset\" is missing."))
            {
                try decoder.decode(#"{"op":"\#(op)","room":"lobby"}"#)
            }
            #expect(throws: CommandDecoder.Failure(id: nil, code: .badRequest, message: "Field \"room\" is missing.")) {
                try decoder.decode(#"{"op":"\#(op)","offset":1}"#)
            }
            #expect(
                throws: CommandDecoder.Failure(
                    id: nil, code: .badRequest, message: "Field \"offset\" has the wrong type or format.")
            ) { try decoder.decode(#"{"op":"\#(op)","room":"lobby","offset":-1}"#) }
        }
    }

    @Test func changes() throws {
        try #expect(
            decoder.decode(#"{"op":"edit","id":"1","room":"lobby","offset":7,"text":"new"}"#)
                == .change(.init(id: id, room: .lobby, of: 7, .edit("new"))))
        try #expect(
            decoder.decode(#"{"op":"delete","id":"1","room":"dm:alice:bob","offset":18446744073709551615}"#)
                == .change(.init(id: id, room: .direct(.alice, .bob), of: .max, .delete)))
        for (remove, isRemoval) in [("", false), (#","remove":false"#, false), (#","remove":true"#, true)] {
            try #expect(
                decoder.decode(#"{"op":"react","id":"1","room":"lobby","offset":7,"reaction":"👍"\#(remove)}"#)
                    == .change(.init(id: id, room: .lobby, of: 7, .react(.thumb, isRemoval: isRemoval))))
        }
    }

    @Test(arguments: [
        (#"{"op":"edit","id":"1","room":"lobby","offset":7}"#, "Field \"text\" is missing or empty."),
        (#"{"op":"edit","id":"1","room":"lobby","offset":7,"text":""}"#, "Field \"text\" is missing or empty."),
        (#"{"op":"edit","id":"1","room":"lobby","text":"x"}"#, "Field \"offset\" is missing."),
        (#"{"op":"edit","id":"1","to":"bob","offset":7,"text":"x"}"#, "Field \"room\" is missing."),
        (#"{"op":"delete","id":"1","room":"lobby","offset":"7"}"#, "Field \"offset\" has the wrong type or format."),
        (#"{"op":"react","id":"1","room":"lobby","offset":7}"#, "Field \"reaction\" is missing."),
        (
            #"{"op":"react","id":"1","room":"lobby","offset":7,"reaction":1}"#,
            "Field \"reaction\" has the wrong type or format."
        ),
        (
            #"{"op":"react","id":"1","room":"lobby","offset":7,"reaction":"x","remove":"yes"}"#,
            "Field \"remove\" has the wrong type or format."
        ),
        (
            #"{"op":"react","id":"1","room":"lobby","offset":7,"reaction":""}"#,
            "Field \"reaction\" must have 1–64 bytes without control characters."
        ),
        (
            #"{"op":"react","id":"1","room":"lobby","offset":7,"reaction":"a\u0007"}"#,
            "Field \"reaction\" must have 1–64 bytes without control characters."
        ),
        (
            #"{"op":"react","id":"1","room":"lobby","offset":7,"reaction":"\#(String(repeating: "é", count: 33))"}"#,
            "Field \"reaction\" must have 1–64 bytes without control characters."
        ),
    ])
    func malformedChangeRequestIsRefused(_ text: String, _ message: String) {
        #expect(throws: CommandDecoder.Failure.self) { try decoder.decode(text) }
        do throws(CommandDecoder.Failure) {
            _ = try decoder.decode(text)
        } catch {
            #expect(error.message == message)
            #expect(error.code == .badRequest)
        }
    }

    // MARK: Files

    @Test func uploads() throws {
        let hash = String(repeating: "0aF", count: 21) + "9"
        try #expect(
            decoder.decode(
                #"{"op":"upload","id":"1","room":"lobby","name":"../a\u0000b.png","type":"image/png","size":7,"#
                    + #""sha256":"\#(hash)"}"#)
                == .upload(
                    .init(
                        id: id, room: .lobby, name: FileName(cleaning: "../a\0b.png"), type: "image/png", size: 7,
                        hash: ContentHash(hex: hash))))
        try #expect(
            decoder.decode(#"{"op":"upload","id":"1","room":"lobby","size":18446744073709551615}"#)
                == .upload(.init(id: id, room: .lobby, name: FileName(cleaning: ""), size: .max)))
        try #expect(
            decoder.decode(#"{"op":"cancelUpload","id":"1","transfer":4294967295}"#)
                == .cancelUpload(id: id, transfer: .max))
    }

    @Test(arguments: [
        (#"{"op":"upload","id":"1","room":"lobby"}"#, "Field \"size\" is missing."),
        (#"{"op":"upload","id":"1","room":"lobby","size":-1}"#, "Field \"size\" has the wrong type or format."),
        (#"{"op":"upload","id":"1","size":1}"#, "Field \"room\" is missing."),
        (
            #"{"op":"upload","id":"1","room":"lobby","size":1,"sha256":"00"}"#,
            "Field \"sha256\" must be 64 hexadecimal digits."
        ),
        (#"{"op":"cancelUpload","id":"1"}"#, "Field \"transfer\" must be the number from uploadReady."),
        (
            #"{"op":"cancelUpload","id":"1","transfer":4294967296}"#,
            "Field \"transfer\" must be the number from uploadReady."
        ),
    ])
    func malformedUploadIsRefused(_ text: String, _ message: String) {
        #expect(throws: CommandDecoder.Failure(id: id, code: .badRequest, message: message)) {
            try decoder.decode(text)
        }
    }

    private static let fileIDs = ["AAAAAAAAAAAAAAAAAAAAAA", "h1Qv0m3nT2S4k6d8f0a2cA"]

    @Test func aMessageWithFiles() throws {
        let ids = try Self.fileIDs.map { try #require(FileID($0)) }
        let alt = try #require(AltText("a \"cat\""))
        let send = Command.Send(
            id: id, target: .room(.lobby), text: "", files: [FileReference(ids[0]), FileReference(ids[1], alt: alt)])
        for text in [#""text":"","#, ""] {
            try #expect(
                decoder.decode(
                    #"{"op":"send","id":"1",\#(text)"room":"lobby","files":[{"id":"\#(ids[0])"} , "#
                        + #"{"alt":"a \"cat\"","id":"\#(ids[1])","new":[1]}]}"#) == .send(send))
        }
        // In other commands files are only validated, and an empty list counts as no files.
        try #expect(decoder.decode(#"{"op":"pong","files":[{"id":"x"}],"alt":7}"#) == .pong)
        try #expect(
            decoder.decode(#"{"op":"send","id":"1","room":"lobby","text":"x","files":[ ]}"#)
                == .send(Command.Send(id: id, target: .room(.lobby), text: "x")))
        try #expect(
            decoder.decode(
                #"{"op":"send","id":"1","room":"lobby","text":"x","files":[{"id":"\#(ids[0])","alt":""}]}"#)
                == .send(Command.Send(id: id, target: .room(.lobby), text: "x", files: [FileReference(ids[0])])))
    }

    @Test(arguments: [
        ("null", "Field \"files\" has the wrong type or format."),
        ("{}", "Field \"files\" has the wrong type or format."),
        (#"["a"]"#, "Field \"files\" has the wrong type or format."),
        ("[{},]", "Field \"files\" has the wrong type or format."),
        (#"[{"id":1}]"#, "Field \"files\" has the wrong type or format."),
        (#"[{"id":"\#(fileIDs[0])","id":"\#(fileIDs[1])"}]"#, "Field \"files\" has the wrong type or format."),
        (#"[],"files":[]"#, "Field \"files\" has the wrong type or format."),
        ("[{}]", "Field \"files\" needs the \"id\" of each file."),
        (#"[{"id":"short"}]"#, "Field \"files\" needs the \"id\" of each file."),
        (#"[{"id":"\#(fileIDs[0])"},{"id":"\#(fileIDs[0])","alt":"x"}]"#, "A file is named twice."),
        (
            #"[{"id":"\#(fileIDs[0])","alt":"a\n"}]"#,
            "Field \"alt\" must have at most 1000 bytes without control characters."
        ),
        (
            #"[{"id":"\#(fileIDs[0])","alt":"\#(String(repeating: "x", count: 1001))"}]"#,
            "Field \"alt\" must have at most 1000 bytes without control characters."
        ),
        ("[]", "Field \"text\" is missing or empty."),
    ])
    func malformedFilesAreRefused(_ files: String, _ message: String) {
        let failure = CommandDecoder.Failure(id: id, code: .badRequest, message: message)
        #expect(throws: failure) {
            try decoder.decode(#"{"op":"send","id":"1","room":"lobby","text":"","files":\#(files)}"#)
        }
    }

    @Test(arguments: [11, 3000]) func tooManyFiles(_ count: Int) {
        let files = (0..<count).map { _ in #"{"id":"\#(FileID.random())"}"# }.joined(separator: ",")
        let failure = CommandDecoder.Failure(id: id, code: .tooLarge, message: "A message has at most 10 files.")
        #expect(throws: failure) {
            try decoder.decode(#"{"op":"send","id":"1","room":"lobby","text":"x","files":[\#(files)]}"#)
        }
    }

    @Test func editWithTooLongTextIsTooLarge() {
        let text = String(repeating: "x", count: Limits().textBytesMax + 1)
        let failure = CommandDecoder.Failure(id: id, code: .tooLarge, message: "The text is longer than 8192 bytes.")
        #expect(throws: failure) {
            try decoder.decode(#"{"op":"edit","id":"1","room":"lobby","offset":7,"text":"\#(text)"}"#)
        }
    }

    @Test func rooms() throws {
        try #expect(decoder.decode(#"{"op":"rooms","id":"1"}"#) == .rooms(id: id, after: nil, limit: nil))
        try #expect(
            decoder.decode(#"{"op":"rooms","id":"1","startAfter":"dm:alice:bob","limit":5}"#)
                == .rooms(id: id, after: .direct(.alice, .bob), limit: 5))
        #expect(
            throws: CommandDecoder.Failure(
                id: id, code: .badRequest, message: "Field \"startAfter\" is not a room name.")
        ) { try decoder.decode(#"{"op":"rooms","id":"1","startAfter":"No Room"}"#) }
    }

    @Test func sendToARoom() throws {
        try #expect(
            decoder.decode(#"{"op":"send","id":"1","room":"lobby","text":"hi"}"#)
                == .send(.init(id: id, target: .room(.lobby), text: "hi")))
        try #expect(
            decoder.decode(#"{"op":"send","id":"1","room":"lobby","text":"hi","replyTo":3,"ephemeral":true}"#)
                == .send(.init(id: id, target: .room(.lobby), text: "hi", replyTo: 3, isEphemeral: true)))
    }

    @Test func sendToAUser() throws {
        try #expect(
            decoder.decode(#"{"op":"send","id":"1","to":"bob","text":"hi"}"#)
                == .send(.init(id: id, target: .user(.bob), text: "hi")))
        try #expect(
            decoder.decode(#"{"op":"send","id":"1","room":"dm:alice:bob","text":"hi"}"#)
                == .send(.init(id: id, target: .room(.direct(.alice, .bob)), text: "hi")))
    }

    @Test(
        arguments: [
            ("", .newest), (#","before":9"#, .before(9)), (#","after":0"#, .after(0)),
        ] as [(String, HistoryRange)])
    func history(_ fields: String, _ range: HistoryRange) throws {
        try #expect(
            decoder.decode(#"{"op":"history","id":"1","room":"lobby"\#(fields)}"#)
                == .history(id: id, room: .lobby, range: range, limit: nil))
        try #expect(
            decoder.decode(#"{"op":"history","id":"1","room":"lobby","limit":5\#(fields)}"#)
                == .history(id: id, room: .lobby, range: range, limit: 5))
    }

    @Test func typingWhoAndPong() throws {
        try #expect(
            decoder.decode(#"{"op":"typing","room":"lobby","active":true}"#) == .typing(room: .lobby, active: true))
        try #expect(
            decoder.decode(#"{"op":"typing","room":"lobby","active":false}"#)
                == .typing(room: .lobby, active: false))
        try #expect(decoder.decode(#"{"op":"who","id":"1","room":"lobby"}"#) == .who(id: id, room: .lobby))
        try #expect(decoder.decode(#"{"op":"pong"}"#) == .pong)
    }

    // MARK: Leniency

    @Test func fieldOrderIsFreeAndUnknownFieldsAreSkipped() throws {
        let text = #" { "x" : {"deep":[1,{"op":"pong"}]} , "room" : "lobby", "id":"1","y":null,"op":"leave","x":2 } "#
        try #expect(decoder.decode(text) == .leave(id: id, room: .lobby))
    }

    @Test func escapedNamesAreEquivalent() throws {
        let text = #"{"\u006fp":"\u006c\u0065ave","id":"\u0031","room":"lob\u0062y"}"#
        try #expect(decoder.decode(text) == .leave(id: id, room: .lobby))
    }

    @Test func hugeNumberIsClamped() throws {
        let text = #"{"op":"join","id":"1","room":"lobby","limit":18446744073709551615}"#
        try #expect(decoder.decode(text) == .join(.init(id: id, room: .lobby, limit: .max)))
    }

    // MARK: Errors

    @Test(arguments: [#"{"op":"fly","id":"1"}"#, #"{"op":"SEND","id":"1"}"#])
    func unknownOpIsNotFound(text: String) {
        #expect(
            throws: CommandDecoder.Failure(id: id, code: .notFound, message: "Field \"op\" names an unknown command.")
        ) {
            try decoder.decode(text)
        }
    }

    @Test(arguments: [
        (#"{}"#, "Field \"op\" is missing."),
        (#"{"op":"refresh","id":"1"}"#, "Field \"token\" is missing."),
        (#"{"op":"refresh","token":"t"}"#, "Field \"id\" must be a string of 1–64 bytes."),
        (#"{"op":"join","room":"lobby"}"#, "Field \"id\" must be a string of 1–64 bytes."),
        (#"{"op":"join","id":"","room":"lobby"}"#, "Field \"id\" must be a string of 1–64 bytes."),
        (#"{"op":"join","id":"a\n","room":"lobby"}"#, "Field \"id\" must be a string of 1–64 bytes."),
        (#"{"op":"join","id":"1"}"#, "Field \"room\" is missing."),
        (#"{"op":"join","id":"1","room":"Lobby"}"#, "Field \"room\" is not a room name."),
        (#"{"op":"join","id":"1","room":"dm:bob:alice"}"#, "Field \"room\" is not a room name."),
        (#"{"op":"join","id":"1","room":"lobby","since":{}}"#, "Field \"since\" needs \"epoch\" and \"offset\"."),
        (
            #"{"op":"join","id":"1","room":"lobby","since":{"epoch":"e"}}"#,
            "Field \"since\" needs \"epoch\" and \"offset\"."
        ),
        (
            #"{"op":"join","id":"1","room":"lobby","since":{"offset":1}}"#,
            "Field \"since\" needs \"epoch\" and \"offset\"."
        ),
        (#"{"op":"leave","id":"1"}"#, "Field \"room\" is missing."),
        (#"{"op":"send","room":"lobby","text":"hi"}"#, "Field \"id\" must be a string of 1–64 bytes."),
        (#"{"op":"send","id":"1","room":"lobby"}"#, "Field \"text\" is missing or empty."),
        (#"{"op":"send","id":"1","room":"lobby","text":""}"#, "Field \"text\" is missing or empty."),
        (#"{"op":"send","id":"1","text":"hi"}"#, "A send needs either \"room\" or \"to\"."),
        (#"{"op":"send","id":"1","room":"lobby","to":"bob","text":"hi"}"#, "A send needs either \"room\" or \"to\"."),
        (#"{"op":"send","id":"1","to":"","text":"hi"}"#, "Field \"to\" is not a user id."),
        (#"{"op":"send","id":"1","to":"a\u0000","text":"hi"}"#, "Field \"to\" is not a user id."),
        (
            #"{"op":"history","id":"1","room":"lobby","before":1,"after":1}"#,
            "A history request takes either \"before\" or \"after\"."
        ),
        (#"{"op":"history","id":"1"}"#, "Field \"room\" is missing."),
        (#"{"op":"typing","room":"lobby"}"#, "Field \"active\" is missing."),
        (#"{"op":"typing","active":true}"#, "Field \"room\" is missing."),
        (#"{"op":"who","room":"lobby"}"#, "Field \"id\" must be a string of 1–64 bytes."),
        (#"{"op":"hello","device":""}"#, "Field \"device\" must have 1–64 bytes."),
        (#"{"op":"hello","user":""}"#, "Field \"user\" must have 1–128 bytes."),
        (#"[]"#, "The command is not a JSON object."),
        (#"{"op":"pong"} "# + "x", "The command is not a JSON object."),
        (#"{"op":"pong",}"#, "The command is not a JSON object."),
        ("", "The command is not a JSON object."),
    ])
    func errorsNameTheProblem(_ text: String, _ message: String) {
        let failure = failure(of: text)
        #expect(failure?.message == message)
        #expect(failure?.code == .badRequest)
    }

    private static let fields = [
        ("op", "\"pong\""), ("id", "\"1\""), ("room", "\"lobby\""), ("to", "\"bob\""), ("text", "\"t\""),
        ("token", "\"t\""), ("device", "\"d\""), ("user", "\"u\""), ("limit", "1"), ("before", "1"), ("after", "1"),
        ("replyTo", "1"), ("offset", "1"), ("startAfter", "\"a\""), ("active", "true"), ("ephemeral", "true"),
        ("since", #"{"epoch":"e","offset":1}"#),
    ]

    @Test(arguments: fields)
    func repeatedFieldIsRefused(_ name: String, _ value: String) {
        #expect(failure(of: "{\"\(name)\":\(value)}")?.message != "Field \"\(name)\" has the wrong type or format.")
        let failure = failure(of: "{\"\(name)\":\(value),\"\(name)\":\(value)}")
        #expect(failure?.message == "Field \"\(name)\" has the wrong type or format.")
    }

    @Test(arguments: fields)
    func fieldWithWrongTypeIsRefused(_ name: String, _ value: String) {
        for wrong in ["\"s\"", "1", "-1", "1.5", "18446744073709551616", "true", "null", "{}", "[]"] {
            let isRight =
                switch value.first {
                case "\"": wrong.first == "\""
                case "t": wrong == "true"
                case "1": wrong == "1"
                // An empty position is an object, which `join` then refuses.
                default: wrong == "{}"
                }
            if isRight { continue }
            #expect(failure(of: "{\"\(name)\":\(wrong)}")?.message == "Field \"\(name)\" has the wrong type or format.")
        }
    }

    @Test func repeatedFieldOfSinceIsRefused() {
        for since in [#"{"epoch":"e","epoch":"e","offset":1}"#, #"{"epoch":"e","offset":1,"offset":1}"#] {
            let failure = failure(of: #"{"op":"join","id":"1","room":"lobby","since":\#(since)}"#)
            #expect(failure?.message == "Field \"since\" has the wrong type or format.")
        }
    }

    @Test func failureCarriesTheCommandsID() {
        #expect(failure(of: #"{"id":"7","op":"fly"}"#)?.id == .named("7"))
        #expect(failure(of: #"{"id":"7","limit":"x"}"#)?.id == .named("7"))
        #expect(failure(of: #"{"id":"7""#)?.id == .named("7"))
        #expect(failure(of: #"{"op":"fly"}"#)?.id == nil)
        #expect(failure(of: #"{"id":7,"op":"fly"}"#)?.id == nil)
    }

    // MARK: Limits

    @Test func textIsBoundedInBytes() throws {
        var limits = Limits()
        limits.textBytesMax = 4
        let decoder = CommandDecoder(limits: limits)
        _ = try decoder.decode(#"{"op":"send","id":"1","room":"lobby","text":"éé"}"#)
        #expect(throws: CommandDecoder.Failure(id: id, code: .tooLarge, message: "The text is longer than 4 bytes.")) {
            try decoder.decode(#"{"op":"send","id":"1","room":"lobby","text":"ééx"}"#)
        }
    }

    @Test func depthIsBounded() {
        let text = #"{"op":"pong","x":"# + String(repeating: "[", count: 100) + String(repeating: "]", count: 100) + "}"
        #expect(failure(of: text)?.message == "The JSON nests deeper than 8 levels.")
    }

    @Test func namesAreBounded() throws {
        let long = String(repeating: "x", count: 64)
        _ = try decoder.decode(#"{"op":"join","id":"\#(long)","room":"\#(long)"}"#)
        #expect(failure(of: #"{"op":"join","id":"\#(long)x","room":"lobby"}"#) != nil)
        #expect(failure(of: #"{"op":"join","id":"1","room":"\#(long)x"}"#) != nil)
        #expect(failure(of: #"{"op":"hello","device":"\#(long)x"}"#) != nil)
        #expect(failure(of: #"{"op":"hello","user":"\#(long)\#(long)x"}"#) != nil)
        let since = #"{"epoch":"\#(long)x","offset":1}"#
        #expect(failure(of: #"{"op":"join","id":"1","room":"lobby","since":\#(since)}"#) != nil)
    }

    // MARK: Hostile input

    /// Valid commands with random damage: none may crash the process, and every decoded command obeys the limits.
    @Test(arguments: 0..<20)
    func mutatedCommandsAreDecodedOrRefused(_ seed: UInt64) {
        let corpus = [
            #"{"op":"send","id":"1","room":"lobby","text":"hi \uD83D\uDE00 é","replyTo":3,"ephemeral":true}"#,
            #"{"op":"send","id":"1","to":"b:o%b","text":"hi"}"#,
            #"{"op":"join","id":"1","room":"dm:a%3A:b","since":{"epoch":"e","offset":18446744073709551615},"limit":5}"#,
            #"{"op":"hello","token":"a.b.c","device":"phone","x":[[[{"y":[1.5e9,null]}]]]}"#,
            #"{"op":"history","id":"\u0031","room":"lobby","before":9,"limit":5}"#,
        ].map { Array($0.utf8) }
        var random = SeededRandom(seed: seed)
        var refused = 0
        for _ in 0..<1000 {
            var text = random.pick(corpus) ?? []
            for _ in 0...Int.random(in: 0..<3, using: &random) { mutate(&text, corpus, &random) }
            let decoded = text.withUnsafeBytes { bytes -> Command? in
                do throws(CommandDecoder.Failure) { return try decoder.decode(bytes) } catch {
                    refused += 1
                    return nil
                }
            }
            if case .send(let send)? = decoded {
                #expect((1...8192).contains(send.text.utf8.count), "seed \(seed)")
            }
        }
        #expect(refused > 500)
    }

    private func mutate(_ text: inout [UInt8], _ corpus: [[UInt8]], _ random: inout SeededRandom) {
        guard !text.isEmpty else { return }
        let index = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: text[index] = UInt8.random(in: .min ... .max, using: &random)
        case 1: text.remove(at: index)
        case 2: text.insert(random.pick(Array("\"\\{}[],:0-u".utf8)) ?? 0, at: index)
        case 3: text.removeSubrange(index...)
        default:
            let other = random.pick(corpus) ?? []
            text.replaceSubrange(index..., with: other.suffix(Int.random(in: 0...other.count, using: &random)))
        }
    }

    private func failure(of text: String) -> CommandDecoder.Failure? {
        do throws(CommandDecoder.Failure) {
            _ = try decoder.decode(text)
            return nil
        } catch {
            return error
        }
    }
}
