/// An event and its bytes, encoded once and shared by all queues.
public final class EncodedEvent: Sendable {
    public let event: Event
    /// One JSON object in UTF-8: the payload of one text message.
    public let bytes: [UInt8]

    /// Encodes the event.
    public init(_ event: Event) {
        self.event = event
        var writer = JSONWriter()
        event.encode(to: &writer)
        bytes = writer.bytes
    }

    /// Uses a writer that a loop keeps for all of its events.
    package init(_ event: Event, using encoder: inout EventEncoder) {
        self.event = event
        bytes = encoder.bytes(of: event)
    }

    /// The payload for a transport that takes strings.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Encodes events consecutively into the same memory, for a loop that encodes many.
package struct EventEncoder: ~Copyable {
    private var writer = JSONWriter()

    package init() {}

    /// Lends the event's bytes for the call.
    package mutating func encode(_ event: Event, _ body: (UnsafeRawBufferPointer) -> Void) {
        writer.removeAll()
        event.encode(to: &writer)
        writer.withBytes(body)
    }

    fileprivate mutating func bytes(of event: Event) -> [UInt8] {
        writer.removeAll()
        event.encode(to: &writer)
        return writer.bytes
    }
}

extension Event {
    fileprivate func encode(to writer: inout JSONWriter) {
        switch self {
        // The cost of every message, therefore without a step for each key.
        case .message(let room, let message): message.encode(in: room, to: &writer)
        case .ack(let ack): ack.encode(to: &writer)
        default: writer.object { write(to: &$0) }
        }
    }

    private func write(to json: inout JSONWriter) {
        switch self {
        case .message, .ack: break
        case .directMessage(let room, let epoch, let message):
            json.field("op", message.change?.op ?? "message")
            json.field("room", room.value)
            json.field("epoch", epoch.value)
            message.write(to: &json)
        case .ephemeral(let room, let message):
            json.field("op", "message")
            json.field("room", room.value)
            json.field("id", message.id.value)
            message.from.writeAsSender(to: &json)
            json.field("at", message.at.milliseconds)
            json.field("text", message.text)
            json.field("ephemeral", true)
        case .typing(let room, let user, let active):
            json.field("op", "typing")
            json.field("room", room.value)
            json.field("user", user.value)
            json.field("active", active)
        case .uploadReady(let id, let progress):
            json.field("op", "uploadReady")
            json.field("id", id.value)
            progress.write(to: &json)
        case .uploadProgress(let progress):
            json.field("op", "uploadProgress")
            progress.write(to: &json)
        case .uploaded(let id, let file):
            json.field("op", "uploaded")
            json.field("id", id.value)
            json.key("file")
            json.object { file.write(to: &$0) }
        case .uploadCancelled(let id):
            json.field("op", "uploadCancelled")
            json.field("id", id.value)
        case .presence(let presence): presence.write(to: &json)
        case .joined(let joined): joined.write(to: &json)
        case .left(let id, let room, let reason):
            json.field("op", "left")
            json.field("id", id?.value)
            json.field("room", room.value)
            json.field("reason", reason)
        case .page(let id, let room, let page):
            json.field("op", "page")
            json.field("id", id.value)
            json.field("room", room.value)
            json.field("epoch", page.head.epoch.value)
            json.field("offset", page.head.offset)
            json.key("messages")
            json.array(page.messages) { json, message in json.object { message.writeAsEntry(to: &$0) } }
            json.field("more", page.more)
        case .members(let id, let room, let members):
            json.field("op", "members")
            json.field("id", id.value)
            json.field("room", room.value)
            members.write(to: &json)
        case .receipt(let room, let receipts):
            json.field("op", "receipt")
            json.field("room", room.value)
            receipts.write(to: &json)
        case .rooms(let id, let page):
            json.field("op", "rooms")
            json.field("id", id.value)
            json.key("rooms")
            json.array(page.rooms) { json, room in json.object { room.write(to: &$0) } }
            json.field("more", page.more)
        case .notice(let id, let room, let text):
            json.field("op", "notice")
            json.field("id", id?.value)
            json.field("room", room?.value)
            json.field("text", text)
        case .error(let id, let code, let message, let retryAfter):
            json.field("op", "error")
            json.field("id", id?.value)
            json.field("code", code.rawValue)
            json.field("message", message)
            if let retryAfter { json.field("retryAfterMs", retryAfter.value) }
        case .ping: json.field("op", "ping")
        case .refreshed(let id, let expiresAt):
            json.field("op", "refreshed")
            json.field("id", id.value)
            if let expiresAt { json.field("expiresAt", expiresAt.milliseconds) }
        case .drain(let window):
            json.field("op", "drain")
            json.key("reconnectAfterMs")
            json.object {
                $0.field("min", window.lowerBound)
                $0.field("max", window.upperBound)
            }
        case .welcome(let welcome): welcome.write(to: &json)
        }
    }
}

extension Event.Ack {
    fileprivate func encode(to json: inout JSONWriter) {
        json.text(#"{"op":"ack","id":"#, id.value)
        json.text(#","room":"#, room.value)
        if let position {
            json.text(#","epoch":"#, position.epoch.value)
            json.text(#","offset":"#, position.offset)
        }
        json.text(#","at":"#, at.milliseconds)
        json.text(isDuplicate ? #","duplicate":true}"# : isUnchanged ? #","unchanged":true}"# : "}")
    }
}

extension StoredMessage {
    fileprivate func encode(in room: RoomName, to json: inout JSONWriter) {
        guard case .plain = content.kind else { return encodeChange(in: room, to: &json) }
        json.text(#"{"op":"message","room":"#, room.value)
        json.text(#","offset":"#, offset)
        json.text(#","id":"#, content.id.value)
        json.text(#","from":"#, content.from.user.value)
        if content.from.isNamed { json.text(#","name":"#, content.from.name) }
        json.text(#","at":"#, at.milliseconds)
        json.text(#","text":"#, content.text)
        if let replyTo { json.text(#","replyTo":"#, replyTo) }
        json.text("}")
    }
}

extension Member {
    /// Writes `name` only if it differs from the id.
    func writeAsSender(to json: inout JSONWriter) {
        json.field("from", user.value)
        if isNamed { json.field("name", name) }
    }

    fileprivate func write(to json: inout JSONWriter) {
        json.object {
            $0.field("user", user.value)
            if isNamed { $0.field("name", name) }
        }
    }
}

extension Event.Members {
    fileprivate func write(to json: inout JSONWriter) {
        json.key("members")
        json.array(listed) { $1.write(to: &$0) }
        json.field("count", count)
        if isPartial { json.field("partial", true) }
    }
}

extension Event.Presence {
    fileprivate func write(to json: inout JSONWriter) {
        json.field("op", "presence")
        json.field("room", room.value)
        json.key("joined")
        json.array(joined) { $1.write(to: &$0) }
        json.key("left")
        json.array(left) { $0.string($1.value) }
        json.field("count", count)
    }
}

extension Event.Joined {
    fileprivate func write(to json: inout JSONWriter) {
        json.field("op", "joined")
        json.field("id", id.value)
        json.field("room", room.value)
        json.field("epoch", head.epoch.value)
        json.field("offset", head.offset)
        json.field("recovered", recovered)
        json.key("messages")
        json.array(messages) { json, message in json.object { message.writeAsEntry(to: &$0) } }
        members.write(to: &json)
        receipts.write(to: &json)
    }
}

extension Event.TransferProgress {
    fileprivate func write(to json: inout JSONWriter) {
        json.field("transfer", UInt64(transfer))
        json.field("offset", offset)
        json.field("credit", credit)
    }
}

extension [UserReceipt] {
    fileprivate func write(to json: inout JSONWriter) {
        json.key("receipts")
        json.array(self) { json, entry in
            json.object {
                $0.field("user", entry.user.value)
                $0.field("delivered", entry.receipt.delivered)
                $0.field("seen", entry.receipt.seen)
            }
        }
    }
}

extension RoomsPage.Room {
    fileprivate func write(to json: inout JSONWriter) {
        json.field("room", room.value)
        json.field("epoch", head.epoch.value)
        json.field("offset", head.offset)
        json.field("delivered", receipt.delivered)
        json.field("seen", receipt.seen)
        json.field("unread", unread)
        guard let last else { return }
        json.key("last")
        json.object { last.write(to: &$0) }
    }
}

extension Event.Welcome {
    fileprivate func write(to json: inout JSONWriter) {
        json.field("op", "welcome")
        json.field("session", session.description)
        json.field("tenant", tenant.value)
        json.field("user", user.value)
        json.field("name", name)
        json.field("device", device.value)
        json.field("node", node)
        json.field("serverTime", serverTime.milliseconds)
        json.field("heartbeatMs", heartbeat.value)
        if let expiresAt { json.field("expiresAt", expiresAt.milliseconds) }
        json.key("limits")
        json.object {
            $0.field("messageBytes", limits.messageBytes)
            $0.field("textBytes", limits.textBytes)
            $0.field("rooms", limits.rooms)
            $0.field("roomsPerJoin", limits.roomsPerJoin)
            $0.field("pageMessages", limits.pageMessages)
            $0.field("commandsInFlight", limits.commandsInFlight)
            $0.field("commandsPerMinute", limits.commandsPerMinute)
            $0.field("commandsBurst", limits.commandsBurst)
        }
    }
}
