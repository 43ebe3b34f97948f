@testable import GoHubCore
@testable import GoHubStore

extension FuzzTarget {
    /// A text message, read as JSON by three parsers and as a command.
    static let commands = FuzzTarget("commands", bytesMax: 4096) { bytes in
        let limits = Limits()
        try checkJSON(bytes)
        switch decode(bytes, limits) {
        case .success(let command):
            try require(isJSON(bytes, depthMax: limits.jsonDepthMax + 1), "a command is JSON")
            try checkBounds(command, limits)
            let again = CommandText.bytes(of: command)
            try requireEqual(decode(again, limits), .success(command), "a command that is written is read")
            if case .success(.send(let sent)) = decode(again, limits), case .send(let send) = command {
                try require(sent.text.hasSameBytes(as: send.text), "a text comes back byte for byte")
                try checkColumn(of: send.files)
            }
        case .failure(let failure):
            try require(!failure.message.isEmpty, "a refusal says why")
            // Errors are reported in an event, which must be JSON whatever the client sent.
            let event = EncodedEvent(.error(id: failure.id, code: failure.code, message: failure.message))
            try require(isJSON(event.bytes, depthMax: 8), "an error is JSON")
        }
    }

    private static func decode(_ bytes: [UInt8], _ limits: Limits) -> Result<Command, CommandDecoder.Failure> {
        bytes.withUnsafeBytes { text in
            do throws(CommandDecoder.Failure) {
                return .success(try CommandDecoder(limits: limits).decode(text))
            } catch {
                return .failure(error)
            }
        }
    }

    static func isJSON(_ bytes: [UInt8], depthMax: Int) -> Bool {
        bytes.withUnsafeBytes { text in
            var reader = JSONReader(text, depthMax: depthMax)
            do throws(JSONReader.Failure) {
                try reader.skipValue()
                try reader.readEnd()
                return true
            } catch {
                return false
            }
        }
    }

    /// Our two parsers agree, except for inputs that only one of them refuses, and Foundation's reads the same values.
    private static func checkJSON(_ bytes: [UInt8]) throws {
        // Also runs on invalid JSON: Foundation decodes the bodies of the server API.
        let second = FoundationJSON(parsing: bytes)
        let isAccepted = isJSON(bytes, depthMax: TokenJSON.depthMax)
        let tree: TokenJSON
        do throws(TokenJSON.Malformed) {
            tree = try TokenJSON(parsing: bytes)
        } catch {
            let isStricter = error.reason == "a member name is repeated" || error.reason == "a number is out of range"
            return try require(!isAccepted || isStricter, "JSON of a command is JSON of a token, but: \(error.reason)")
        }
        try require(isAccepted, "JSON of a token is JSON of a command")
        guard let second else {
            throw BrokenPromise(description: "broken: what we take for JSON, Foundation does too")
        }
        try require(second.agrees(with: tree), "Foundation reads the same: \(second), \(tree)")
        try checkStrings(of: tree)
    }

    /// Every string survives a round trip through `JSONWriter`.
    private static func checkStrings(of tree: TokenJSON) throws {
        switch tree {
        case .string(let string):
            var writer = JSONWriter()
            writer.string(string)
            let again = try? TokenJSON(parsing: writer.bytes)
            try require(again?.string?.hasSameBytes(as: string) == true, "a string that is written is read")
        case .array(let elements): for element in elements { try checkStrings(of: element) }
        case .object(let members):
            for (name, value) in members {
                try checkStrings(of: .string(name))
                try checkStrings(of: value)
            }
        case .null, .bool, .number: break
        }
    }

    /// File descriptions survive a round trip through their stored form.
    private static func checkColumn(of references: [FileReference]) throws {
        let files = references.enumerated().map { place, reference in
            AttachedFile(
                id: reference.id, name: FileName(cleaning: reference.alt?.value ?? ""), type: .png, size: .max,
                image: place == 0 ? nil : ImageProperties(width: place, height: 1, placeholder: "p", hasPreview: true),
                alt: reference.alt)
        }
        guard !files.isEmpty else { return }
        try require([AttachedFile](encoded: files.encoded) == files, "files that are stored are read")
        try require(files.encoded.utf8.count <= files.weight, "files weigh no less than is stored of them")
    }

    private static func checkBounds(_ command: Command, _ limits: Limits) throws {
        if let id = command.id { try require((1...64).contains(id.value.utf8.count), "an id is within its bound") }
        switch command {
        case .send(let send):
            let least = send.files.isEmpty ? 1 : 0
            try require((least...limits.textBytesMax).contains(send.text.utf8.count), "a text is within its bound")
            try require(send.files.count <= limits.filesPerMessageMax, "files are within their bound")
            try require(Set(send.files.map(\.id)).count == send.files.count, "each file is named once")
        case .change(let change):
            switch change.kind {
            case .edit(let text):
                try require((1...limits.textBytesMax).contains(text.utf8.count), "a new text is within its bound")
            case .delete: break
            case .react(let reaction, _):
                let bytes = reaction.value.utf8
                try require((1...64).contains(bytes.count), "a reaction is within its bound")
                try require(bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a reaction holds no control character")
            }
        case .join(let join): try checkBounds(ofJoin: join)
        case .joinMany(_, let joins):
            try require(
                (1...limits.roomsPerJoinMax).contains(joins.count), "the rooms of a join are within their bound")
            for join in joins { try checkBounds(ofJoin: join) }
        default: break
        }
    }
}

extension FuzzTarget {
    private static func checkBounds(ofJoin join: Command.Join) throws {
        try require((1...64).contains(join.id.value.utf8.count), "a join's id is within its bound")
        try require((join.since?.epoch.value.utf8.count ?? 0) <= 64, "an epoch is within its bound")
        try require((join.limit ?? 0) >= 0, "a limit isn't negative")
    }
}

/// Commands as the text that a client would send for them.
enum CommandText {
    static func bytes(of command: Command) -> [UInt8] {
        var json = JSONWriter()
        json.object { write(command, to: &$0) }
        return json.bytes
    }

    private static func write(_ command: Command, to json: inout JSONWriter) {
        json.field("id", command.id?.value)
        switch command {
        case .hello(let hello):
            json.field("op", "hello")
            json.field("token", hello.token)
            json.field("device", hello.device?.value)
            json.field("user", hello.user?.value)
        case .upload(let upload):
            json.field("op", "upload")
            json.field("room", upload.room.value)
            json.field("name", upload.name.value)
            json.field("type", upload.type)
            json.field("size", upload.size)
            json.field("sha256", upload.hash?.hex)
        case .cancelUpload(_, let transfer):
            json.field("op", "cancelUpload")
            json.field("transfer", UInt64(transfer))
        case .refresh(_, let token):
            json.field("op", "refresh")
            json.field("token", token)
        case .join(let join):
            json.field("op", "join")
            write(join, to: &json)
        case .joinMany(_, let joins):
            json.field("op", "join")
            json.key("rooms")
            json.array(joins) { json, join in
                json.object {
                    $0.field("id", join.id.value)
                    write(join, to: &$0)
                }
            }
        case .leave(_, let room): writeRoom("leave", room, to: &json)
        case .who(_, let room): writeRoom("who", room, to: &json)
        case .typing(let room, let active):
            writeRoom("typing", room, to: &json)
            json.field("active", active)
        case .send(let send): write(send, to: &json)
        case .change(let change): write(change, to: &json)
        case .history(_, let room, let range, let limit):
            writeRoom("history", room, to: &json)
            if let limit { json.field("limit", limit) }
            switch range {
            case .newest: break
            case .before(let offset): json.field("before", offset)
            case .after(let offset): json.field("after", offset)
            }
        case .receipt(let room, let receipt):
            writeRoom(receipt.seen > 0 || receipt.delivered == 0 ? "seen" : "delivered", room, to: &json)
            json.field("offset", receipt.delivered)
        case .rooms(_, let after, let limit):
            json.field("op", "rooms")
            json.field("startAfter", after?.value)
            if let limit { json.field("limit", limit) }
        case .pong: json.field("op", "pong")
        }
    }

    private static func write(_ join: Command.Join, to json: inout JSONWriter) {
        json.field("room", join.room.value)
        if let limit = join.limit { json.field("limit", limit) }
        guard let since = join.since else { return }
        json.key("since")
        json.object {
            $0.field("epoch", since.epoch.value)
            $0.field("offset", since.offset)
        }
    }

    private static func writeRoom(_ op: String, _ room: RoomName, to json: inout JSONWriter) {
        json.field("op", op)
        json.field("room", room.value)
    }

    private static func write(_ change: Command.Change, to json: inout JSONWriter) {
        json.field("room", change.room.value)
        json.field("offset", change.target)
        switch change.kind {
        case .edit(let text):
            json.field("op", "edit")
            json.field("text", text)
        case .delete: json.field("op", "delete")
        case .react(let reaction, let isRemoval):
            json.field("op", "react")
            json.field("reaction", reaction.value)
            if isRemoval { json.field("remove", true) }
        }
    }

    private static func write(_ send: Command.Send, to json: inout JSONWriter) {
        json.field("op", "send")
        switch send.target {
        case .room(let room): json.field("room", room.value)
        case .user(let user): json.field("to", user.value)
        }
        json.field("text", send.text)
        if let replyTo = send.replyTo { json.field("replyTo", replyTo) }
        json.field("ephemeral", send.isEphemeral)
        guard !send.files.isEmpty else { return }
        json.key("files")
        json.array(send.files) { json, file in
            json.object {
                $0.field("id", file.id.value)
                $0.field("alt", file.alt?.value)
            }
        }
    }
}
