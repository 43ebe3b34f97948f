/// Changed messages, messages with files, and changes: less frequent than new messages with text only.
extension StoredMessage {
    /// Encodes a change as a separate event.
    func encodeChange(in room: RoomName, to json: inout JSONWriter) {
        json.object {
            $0.field("op", change?.op ?? "message")
            $0.field("room", room.value)
            write(to: &$0)
        }
    }

    /// Encodes an entry in a list of a room's messages and changes. Changes carry their op; messages don't.
    func writeAsEntry(to json: inout JSONWriter) {
        json.field("op", change?.op)
        write(to: &json)
    }

    func write(to json: inout JSONWriter) {
        json.field("offset", offset)
        json.field("id", id.value)
        from.writeAsSender(to: &json)
        json.field("at", at.milliseconds)
        if let change { return change.write(text: text, to: &json) }
        let amendments = amendments
        if amendments?.deleted == nil { json.field("text", text) }
        if let replyTo { json.field("replyTo", replyTo) }
        files.write(to: &json)
        amendments?.write(to: &json)
    }
}

extension MessageChange {
    var op: String {
        switch kind {
        case .edited: "edited"
        case .deleted: "deleted"
        case .reaction: "reaction"
        }
    }

    /// - Parameter text: the text of an edit; empty when its message is deleted or missing.
    fileprivate func write(text: String, to json: inout JSONWriter) {
        json.field("of", target)
        switch kind {
        case .edited: if !text.isEmpty { json.field("text", text) }
        case .deleted: break
        case .reaction(let reaction, let isRemoval, let count):
            json.field("reaction", reaction.value)
            json.field("count", count)
            if isRemoval { json.field("removed", true) }
        }
    }
}

extension [AttachedFile] {
    fileprivate func write(to json: inout JSONWriter) {
        guard !isEmpty else { return }
        json.key("files")
        json.array(self) { json, file in json.object { file.write(to: &$0) } }
    }
}

extension AttachedFile {
    func write(to json: inout JSONWriter) {
        json.field("id", id.value)
        json.field("name", name.value)
        json.field("type", type.rawValue)
        json.field("size", size)
        if let image {
            json.field("width", image.width)
            json.field("height", image.height)
            if !image.placeholder.isEmpty { json.field("placeholder", image.placeholder) }
            if image.hasPreview { json.field("preview", true) }
        }
        json.field("alt", alt?.value)
    }
}

extension Amendments {
    fileprivate func write(to json: inout JSONWriter) {
        if let edited {
            json.field("edited", edited.offset)
            json.field("editedAt", edited.at.milliseconds)
        }
        if let deleted {
            json.field("deleted", deleted.offset)
            json.field("deletedAt", deleted.at.milliseconds)
        }
        guard !reactions.isEmpty else { return }
        json.key("reactions")
        json.array(reactions) { json, tally in
            json.object {
                $0.field("reaction", tally.reaction.value)
                $0.field("count", tally.count)
                $0.key("by")
                $0.array(tally.users) { $0.string($1.value) }
            }
        }
    }
}
