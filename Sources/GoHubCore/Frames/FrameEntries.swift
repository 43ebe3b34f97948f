/// The number of a content's kind in a frame. Never used for another kind.
private enum ContentKind {
    static let plain: UInt8 = 0
    static let amended: UInt8 = 1
    static let attached: UInt8 = 2
    static let edited: UInt8 = 3
    static let deleted: UInt8 = 4
    static let reaction: UInt8 = 5
}

// MARK: Writing

extension FrameWriter {
    mutating func entries(_ entries: RoomEntries) {
        text(entries.epoch.value)
        optional(entries.presence) { $0.number($1) }
        list(entries.entries) { writer, entry in
            writer.group { writer in
                writer.number(entry.offset)
                writer.signed(entry.at.milliseconds)
                writer.content(entry.content)
            }
        }
    }

    mutating func content(_ content: MessageContent) {
        text(content.id.value)
        member(content.from)
        text(content.text)
        optional(content.replyTo) { $0.number($1) }
        switch content.kind {
        case .plain: byte(ContentKind.plain)
        case .amended(let amendments):
            byte(ContentKind.amended)
            self.amendments(amendments)
        case .attached(let files, let amendments):
            byte(ContentKind.attached)
            list(files) { writer, file in writer.group { $0.file(file) } }
            optional(amendments) { $0.amendments($1) }
        case .change(let change): self.change(change)
        case .changeRequest, .attaching: preconditionFailure("a draft is no entry")
        }
    }

    private mutating func change(_ change: MessageChange) {
        switch change.kind {
        case .edited: byte(ContentKind.edited)
        case .deleted: byte(ContentKind.deleted)
        case .reaction: byte(ContentKind.reaction)
        }
        number(change.target)
        if case .reaction(let reaction, let isRemoval, let count) = change.kind {
            text(reaction.value)
            flag(isRemoval)
            number(count)
        }
    }

    private mutating func amendments(_ amendments: Amendments) {
        group { writer in
            writer.optional(amendments.edited) { $0.mark($1) }
            writer.optional(amendments.deleted) { $0.mark($1) }
            writer.list(amendments.reactions) { writer, tally in
                writer.text(tally.reaction.value)
                writer.number(tally.count)
                writer.list(tally.users) { $0.text($1.value) }
            }
        }
    }

    private mutating func mark(_ mark: Amendments.Mark) {
        number(mark.offset)
        signed(mark.at.milliseconds)
    }

    private mutating func file(_ file: AttachedFile) {
        text(file.id.value)
        text(file.name.value)
        text(file.type.rawValue)
        number(file.size)
        optional(file.image) { writer, image in
            writer.number(image.width)
            writer.number(image.height)
            writer.text(image.placeholder)
            writer.flag(image.hasPreview)
        }
        optional(file.alt) { $0.text($1.value) }
    }
}

// MARK: Reading

extension FrameReader {
    mutating func entries() throws(FrameError) -> RoomEntries {
        let epoch = try epoch()
        let presence = try optional { (reader) throws(FrameError) in try reader.presenceVersion() }
        let entries = try list { (reader) throws(FrameError) in
            try reader.group { (reader) throws(FrameError) in
                let offset = try reader.offset()
                guard offset > 0 else { throw .malformed }
                let at = try reader.wallTime()
                return StoredMessage(offset: offset, at: at, try reader.content())
            }
        }
        return RoomEntries(epoch, entries, presence: presence)
    }

    mutating func content() throws(FrameError) -> MessageContent {
        let id = try commandID()
        let from = try member()
        let text = try text(bytesMax: textBytesMax)
        let replyTo = try optional { (reader) throws(FrameError) in try reader.offset() }
        let kind = try contentKind()
        return MessageContent(id: id, from: from, text: text, replyTo: replyTo, kind: kind)
    }

    private mutating func contentKind() throws(FrameError) -> MessageContent.Kind {
        switch try byte() {
        case ContentKind.plain: return .plain
        case ContentKind.amended: return .amended(try amendments())
        case ContentKind.attached:
            let files = try list { (reader) throws(FrameError) in
                try reader.group { (reader) throws(FrameError) in try reader.file() }
            }
            let amendments = try optional { (reader) throws(FrameError) in try reader.amendments() }
            return .attached(files, amendments)
        case ContentKind.edited: return .change(MessageChange(of: try offset(), .edited))
        case ContentKind.deleted: return .change(MessageChange(of: try offset(), .deleted))
        case ContentKind.reaction:
            let target = try offset()
            let reaction = try reaction()
            let isRemoval = try flag()
            return .change(
                MessageChange(of: target, .reaction(reaction, isRemoval: isRemoval, count: try count(max: 1 << 31))))
        // A later version's.
        case let kind: throw .unknownKind(kind)
        }
    }

    private mutating func reaction() throws(FrameError) -> Reaction {
        try named(bytesMax: Reaction.bytesMax) { Reaction($0) }
    }

    private mutating func amendments() throws(FrameError) -> Amendments {
        try group { (reader) throws(FrameError) in
            let edited = try reader.optional { (reader) throws(FrameError) in try reader.mark() }
            let deleted = try reader.optional { (reader) throws(FrameError) in try reader.mark() }
            let reactions = try reader.list { (reader) throws(FrameError) in
                let reaction = try reader.reaction()
                let count = try reader.count(max: 1 << 31)
                let users = try reader.list { (reader) throws(FrameError) in try reader.user() }
                return Amendments.Tally(reaction, count: count, users: users)
            }
            return Amendments(edited: edited, deleted: deleted, reactions: reactions)
        }
    }

    private mutating func mark() throws(FrameError) -> Amendments.Mark {
        Amendments.Mark(offset: try offset(), at: try wallTime())
    }

    private mutating func file() throws(FrameError) -> AttachedFile {
        let id = try named(bytesMax: 22) { FileID($0) }
        let name = try named(bytesMax: FileName.bytesMax) { FileName($0) }
        let type = try named(bytesMax: 64) { text in
            text.utf8.allSatisfy { (0x21...0x7E).contains($0) } ? FileType(rawValue: text) : nil
        }
        let size = try offset()
        let image = try optional { (reader) throws(FrameError) in
            let width = try reader.count(max: 1 << 31)
            let height = try reader.count(max: 1 << 31)
            let placeholder = try reader.text(bytesMax: 256)
            return ImageProperties(
                width: width, height: height, placeholder: placeholder, hasPreview: try reader.flag())
        }
        let alt = try optional { (reader) throws(FrameError) in
            try reader.named(bytesMax: AltText.bytesMax) { AltText($0) }
        }
        return AttachedFile(id: id, name: name, type: type, size: size, image: image, alt: alt)
    }
}
