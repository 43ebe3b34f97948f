/// Decodes a text message into a command, or reports the error.
///
/// Unknown fields are skipped, so that newer clients work with older hubs. A known field that is repeated or has the
/// wrong type is an error, so that nobody can smuggle a second meaning past a proxy that reads the other one.
package struct CommandDecoder: Sendable {
    package struct Failure: Error, Equatable, Sendable {
        /// The command's id, if it could be read.
        package let id: CommandID?
        package let code: ErrorCode
        package let message: String
    }

    private let limits: Limits

    package init(limits: Limits) {
        self.limits = limits
    }

    package func decode(_ text: UnsafeRawBufferPointer) throws(Failure) -> Command {
        var reader = JSONReader(text, depthMax: limits.jsonDepthMax)
        var fields = Fields(
            source: reader, filesMax: limits.filesPerMessageMax, roomsMax: limits.roomsPerJoinMax)
        do {
            try reader.readObject { name, reader throws(JSONReader.Failure) in
                try fields.read(name, from: &reader)
            }
            try reader.readEnd()
        } catch {
            let message =
                switch error {
                case .malformed, .repeatedName, .outOfRange:
                    fields.wrong.map { "Field \"\($0.rawValue)\" has the wrong type or format." }
                        ?? "The command is not a JSON object."
                case .tooDeep: "The JSON nests deeper than \(limits.jsonDepthMax) levels."
                }
            throw fields.failure(message)
        }
        return try command(from: fields)
    }

    /// For embedders and tests, whose text is a `String`.
    package func decode(_ text: String) throws(Failure) -> Command {
        let bytes = Array(text.utf8)
        // The pointer lives for the call; typed throws can't pass through `withUnsafeBytes`, hence the result.
        let result: Result<Command, Failure> = bytes.withUnsafeBytes { bytes in
            do throws(Failure) { return .success(try decode(bytes)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    private func command(from fields: borrowing Fields) throws(Failure) -> Command {
        guard let op = fields.string(fields.op) else { throw fields.failure("Field \"op\" is missing.") }
        switch op {
        case "send": return .send(try send(from: fields))
        case "join": return try join(from: fields)
        case "leave": return .leave(id: try fields.requireID(), room: try fields.requireRoom())
        case "typing":
            guard let active = fields.active else { throw fields.failure("Field \"active\" is missing.") }
            return .typing(room: try fields.requireRoom(), active: active)
        case "history":
            return .history(
                id: try fields.requireID(), room: try fields.requireRoom(), range: try fields.range(),
                limit: fields.limit.map { Int(clamping: $0) })
        case "who": return .who(id: try fields.requireID(), room: try fields.requireRoom())
        case "delivered":
            return .receipt(room: try fields.requireRoom(), Receipt(delivered: try fields.requireOffset()))
        case "seen": return .receipt(room: try fields.requireRoom(), Receipt(seen: try fields.requireOffset()))
        case "rooms":
            return .rooms(
                id: try fields.requireID(), after: try fields.startAfterRoom(),
                limit: fields.limit.map { Int(clamping: $0) })
        case "react":
            let removes = fields.remove ?? false
            return .change(try change(from: fields, .react(try fields.requireReaction(), isRemoval: removes)))
        case "edit": return .change(try change(from: fields, .edit(try text(from: fields))))
        case "delete": return .change(try change(from: fields, .delete))
        case "upload": return .upload(try upload(from: fields))
        case "cancelUpload":
            guard let transfer = fields.transfer.flatMap({ UInt32(exactly: $0) }) else {
                throw fields.failure("Field \"transfer\" must be the number from uploadReady.")
            }
            return .cancelUpload(id: try fields.requireID(), transfer: transfer)
        case "pong": return .pong
        case "hello": return .hello(try hello(from: fields))
        case "refresh":
            guard let token = fields.string(fields.token) else { throw fields.failure("Field \"token\" is missing.") }
            return .refresh(id: try fields.requireID(), token: token)
        default:
            // A newer client with an older hub: the command gets an answer and counts as no violation.
            throw fields.failure("Field \"op\" names an unknown command.", .notFound)
        }
    }

    private func join(from fields: borrowing Fields) throws(Failure) -> Command {
        guard let rooms = fields.rooms else { return .join(try fields.join(fields.joinFields)) }
        guard fields.room == nil, fields.since == nil, fields.limit == nil else {
            throw fields.failure("A join takes either \"room\" or \"rooms\".")
        }
        guard rooms.count <= limits.roomsPerJoinMax else {
            throw fields.failure("A join names at most \(limits.roomsPerJoinMax) rooms.", .tooLarge)
        }
        guard !rooms.isEmpty else { throw fields.failure("Field \"rooms\" is empty.") }
        var joins: [Command.Join] = []
        for room in rooms { joins.append(try fields.join(room)) }
        return .joinMany(id: fields.commandID, joins)
    }

    private func send(from fields: borrowing Fields) throws(Failure) -> Command.Send {
        let id = try fields.requireID()
        let files = try fields.fileReferences()
        let text = try text(from: fields, mayBeEmpty: !files.isEmpty)
        let target: Command.Send.Target
        switch (fields.room != nil, fields.to) {
        case (true, nil): target = .room(try fields.requireRoom())
        case (false, let to?):
            guard let user = fields.string(to).flatMap({ UserID($0) }) else {
                throw fields.failure("Field \"to\" is not a user id.")
            }
            target = .user(user)
        default: throw fields.failure("A send needs either \"room\" or \"to\".")
        }
        return Command.Send(
            id: id, target: target, text: text, replyTo: fields.replyTo, isEphemeral: fields.ephemeral ?? false,
            files: files)
    }

    /// - Parameter mayBeEmpty: whether it may also be missing.
    private func text(from fields: borrowing Fields, mayBeEmpty: Bool = false) throws(Failure) -> String {
        let text = fields.string(fields.text) ?? ""
        guard mayBeEmpty || !text.isEmpty else {
            throw fields.failure("Field \"text\" is missing or empty.")
        }
        guard text.utf8.count <= limits.textBytesMax else {
            throw fields.failure("The text is longer than \(limits.textBytesMax) bytes.", .tooLarge)
        }
        return text
    }

    private func change(from fields: borrowing Fields, _ kind: Command.Change.Kind) throws(Failure) -> Command.Change {
        let (id, room) = (try fields.requireID(), try fields.requireRoom())
        return Command.Change(id: id, room: room, of: try fields.requireOffset(), kind)
    }

    private func upload(from fields: borrowing Fields) throws(Failure) -> Command.Upload {
        let (id, room) = (try fields.requireID(), try fields.requireRoom())
        guard let size = fields.size else { throw fields.failure("Field \"size\" is missing.") }
        let hash = fields.string(fields.sha256).map { ContentHash(hex: $0) }
        if case .some(nil) = hash { throw fields.failure("Field \"sha256\" must be 64 hexadecimal digits.") }
        return Command.Upload(
            id: id, room: room, name: FileName(cleaning: fields.string(fields.name) ?? ""),
            type: fields.string(fields.type) ?? "", size: size, hash: hash.flatMap { $0 })
    }

    private func hello(from fields: borrowing Fields) throws(Failure) -> Command.Hello {
        var hello = Command.Hello(token: fields.string(fields.token))
        if let device = fields.string(fields.device) {
            guard let id = DeviceID(device) else { throw fields.failure("Field \"device\" must have 1–64 bytes.") }
            hello.device = id
        }
        if let user = fields.string(fields.user) {
            guard let id = UserID(user) else {
                throw fields.failure("Field \"user\" must have 1–\(UserID.bytesMax) bytes.")
            }
            hello.user = id
        }
        return hello
    }
}

/// The fields of any command as found, before `op` decides which ones are needed. Only the locations of texts are
/// recorded, because most commands need strings of only a few.
private struct Fields {
    /// The source of the texts.
    let source: JSONReader
    var op: JSONReader.Text?
    var id: JSONReader.Text?
    var room: JSONReader.Text?
    var to: JSONReader.Text?
    var text: JSONReader.Text?
    var token: JSONReader.Text?
    var device: JSONReader.Text?
    var user: JSONReader.Text?
    var since: Since?
    var limit: UInt64?
    var before: UInt64?
    var after: UInt64?
    var replyTo: UInt64?
    var offset: UInt64?
    var startAfter: JSONReader.Text?
    var active: Bool?
    var ephemeral: Bool?
    var reaction: JSONReader.Text?
    var remove: Bool?
    var name: JSONReader.Text?
    var type: JSONReader.Text?
    var size: UInt64?
    var sha256: JSONReader.Text?
    var transfer: UInt64?
    /// At most one more than allowed, which reveals that there are too many.
    var files: [File]?
    private let filesMax: Int
    /// The rooms of a `join` of several; at most one more than allowed.
    var rooms: [Join]?
    private let roomsMax: Int
    /// The field at which reading failed.
    var wrong: FieldName?

    init(source: JSONReader, filesMax: Int, roomsMax: Int) {
        self.source = source
        self.filesMax = filesMax
        self.roomsMax = roomsMax
    }

    mutating func read(_ name: FieldName, from reader: inout JSONReader) throws(JSONReader.Failure) {
        wrong = name
        switch name {
        case .op: try Self.set(&op, from: &reader)
        case .id: try Self.set(&id, from: &reader)
        case .room: try Self.set(&room, from: &reader)
        case .to: try Self.set(&to, from: &reader)
        case .text: try Self.set(&text, from: &reader)
        case .token: try Self.set(&token, from: &reader)
        case .device: try Self.set(&device, from: &reader)
        case .user: try Self.set(&user, from: &reader)
        case .since: try Self.set(&since, from: &reader)
        case .limit: try Self.set(&limit, from: &reader)
        case .before: try Self.set(&before, from: &reader)
        case .after: try Self.set(&after, from: &reader)
        case .replyTo: try Self.set(&replyTo, from: &reader)
        case .offset: try Self.set(&offset, from: &reader)
        case .startAfter: try Self.set(&startAfter, from: &reader)
        case .active: try Self.set(&active, from: &reader)
        case .ephemeral: try Self.set(&ephemeral, from: &reader)
        case .reaction: try Self.set(&reaction, from: &reader)
        case .remove: try Self.set(&remove, from: &reader)
        case .name: try Self.set(&self.name, from: &reader)
        case .type: try Self.set(&type, from: &reader)
        case .size: try Self.set(&size, from: &reader)
        case .sha256: try Self.set(&sha256, from: &reader)
        case .transfer: try Self.set(&transfer, from: &reader)
        case .files: try readFiles(from: &reader)
        case .rooms: try readRooms(from: &reader)
        // `since` contains an epoch, and a file contains its alt text.
        case .epoch, .alt, .unknown:
            wrong = nil
            try reader.skipValue()
        }
        wrong = nil
    }

    /// A repeated field is malformed.
    private static func set<Value: FieldValue>(
        _ field: inout Value?, from reader: inout JSONReader
    ) throws(JSONReader.Failure) {
        guard field == nil else { throw .malformed }
        field = try Value.read(from: &reader)
    }

    struct Since: FieldValue {
        var epoch: JSONReader.Text?
        var offset: UInt64?

        static func read(from reader: inout JSONReader) throws(JSONReader.Failure) -> Since {
            var since = Since()
            try reader.readObject { name, reader throws(JSONReader.Failure) in
                switch name {
                case .epoch: try Fields.set(&since.epoch, from: &reader)
                case .offset: try Fields.set(&since.offset, from: &reader)
                default: try reader.skipValue()
                }
            }
            return since
        }
    }

    /// A file of a message, as sent by the client.
    struct File {
        var id: JSONReader.Text?
        var alt: JSONReader.Text?
    }

    private mutating func readFiles(from reader: inout JSONReader) throws(JSONReader.Failure) {
        guard files == nil else { throw .malformed }
        var found: [File] = []
        try reader.readArray { reader throws(JSONReader.Failure) in
            var file = File()
            try reader.readObject { name, reader throws(JSONReader.Failure) in
                switch name {
                case .id: try Fields.set(&file.id, from: &reader)
                case .alt: try Fields.set(&file.alt, from: &reader)
                default: try reader.skipValue()
                }
            }
            if found.count <= filesMax { found.append(file) }
        }
        files = found
    }

    /// A `join`, alone or as one of many.
    struct Join {
        var id: JSONReader.Text?
        var room: JSONReader.Text?
        var since: Since?
        var limit: UInt64?
    }

    private mutating func readRooms(from reader: inout JSONReader) throws(JSONReader.Failure) {
        guard rooms == nil else { throw .malformed }
        var found: [Join] = []
        try reader.readArray { reader throws(JSONReader.Failure) in
            var join = Join()
            try reader.readObject { name, reader throws(JSONReader.Failure) in
                switch name {
                case .id: try Fields.set(&join.id, from: &reader)
                case .room: try Fields.set(&join.room, from: &reader)
                case .since: try Fields.set(&join.since, from: &reader)
                case .limit: try Fields.set(&join.limit, from: &reader)
                default: try reader.skipValue()
                }
            }
            if found.count <= roomsMax { found.append(join) }
        }
        rooms = found
    }

    // MARK: Fields by op

    func string(_ text: JSONReader.Text?) -> String? {
        // Its form was checked when it was found.
        text.flatMap { try? source.string($0) }
    }

    var commandID: CommandID? { string(id).flatMap { CommandID($0) } }

    func failure(_ message: String, _ code: ErrorCode = .badRequest) -> CommandDecoder.Failure {
        CommandDecoder.Failure(id: commandID, code: code, message: message)
    }

    func requireID() throws(CommandDecoder.Failure) -> CommandID { try requireID(id) }

    private func requireID(_ text: JSONReader.Text?) throws(CommandDecoder.Failure) -> CommandID {
        guard let id = string(text).flatMap({ CommandID($0) }) else {
            throw failure("Field \"id\" must be a string of 1–64 bytes.")
        }
        return id
    }

    func requireRoom() throws(CommandDecoder.Failure) -> RoomName { try requireRoom(room) }

    private func requireRoom(_ text: JSONReader.Text?) throws(CommandDecoder.Failure) -> RoomName {
        guard let room = string(text) else { throw failure("Field \"room\" is missing.") }
        guard let name = RoomName(room) else { throw failure("Field \"room\" is not a room name.") }
        return name
    }

    func requireOffset() throws(CommandDecoder.Failure) -> Offset {
        guard let offset else { throw failure("Field \"offset\" is missing.") }
        return offset
    }

    func requireReaction() throws(CommandDecoder.Failure) -> Reaction {
        guard let text = string(reaction) else { throw failure("Field \"reaction\" is missing.") }
        guard let reaction = Reaction(text) else {
            throw failure("Field \"reaction\" must have 1–\(Reaction.bytesMax) bytes without control characters.")
        }
        return reaction
    }

    func fileReferences() throws(CommandDecoder.Failure) -> [FileReference] {
        guard let files else { return [] }
        guard files.count <= filesMax else { throw failure("A message has at most \(filesMax) files.", .tooLarge) }
        var references: [FileReference] = []
        for file in files {
            guard let id = string(file.id).flatMap({ FileID($0) }) else {
                throw failure("Field \"files\" needs the \"id\" of each file.")
            }
            guard !references.contains(where: { $0.id == id }) else { throw failure("A file is named twice.") }
            let words = string(file.alt) ?? ""
            let alt = AltText(words)
            guard alt != nil || words.isEmpty else {
                throw failure("Field \"alt\" must have at most \(AltText.bytesMax) bytes without control characters.")
            }
            references.append(FileReference(id, alt: alt))
        }
        return references
    }

    func startAfterRoom() throws(CommandDecoder.Failure) -> RoomName? {
        guard let name = string(startAfter) else { return nil }
        guard let room = RoomName(name) else { throw failure("Field \"startAfter\" is not a room name.") }
        return room
    }

    /// The fields of a `join` of one room.
    var joinFields: Join { Join(id: id, room: room, since: since, limit: limit) }

    func join(_ join: Join) throws(CommandDecoder.Failure) -> Command.Join {
        Command.Join(
            id: try requireID(join.id), room: try requireRoom(join.room), since: try position(join.since),
            limit: join.limit.map { Int(clamping: $0) })
    }

    private func position(_ since: Since?) throws(CommandDecoder.Failure) -> Position? {
        guard let since else { return nil }
        guard let epoch = string(since.epoch), epoch.utf8.count <= 64, let offset = since.offset else {
            throw failure("Field \"since\" needs \"epoch\" and \"offset\".")
        }
        return Position(epoch: Epoch(epoch), offset: offset)
    }

    func range() throws(CommandDecoder.Failure) -> HistoryRange {
        switch (before, after) {
        case (nil, nil): return .newest
        case (let offset?, nil): return .before(offset)
        case (nil, let offset?): return .after(offset)
        default: throw failure("A history request takes either \"before\" or \"after\".")
        }
    }
}

/// A possible value of a field.
private protocol FieldValue {
    static func read(from reader: inout JSONReader) throws(JSONReader.Failure) -> Self
}

extension JSONReader.Text: FieldValue {
    static func read(from reader: inout JSONReader) throws(JSONReader.Failure) -> JSONReader.Text {
        try reader.readText()
    }
}

extension UInt64: FieldValue {
    static func read(from reader: inout JSONReader) throws(JSONReader.Failure) -> UInt64 { try reader.readUnsigned() }
}

extension Bool: FieldValue {
    static func read(from reader: inout JSONReader) throws(JSONReader.Failure) -> Bool { try reader.readBool() }
}
