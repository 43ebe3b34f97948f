extension StoredMessage {
    /// The maximum bytes of the entry in an answer: its JSON, with field names, numbers and escapes.
    ///
    /// Limits on answers count these and not the bytes of the text: a text of control characters takes six times its
    /// size, and a reaction has no text at all. A store ends a page before they exceed `HistoryRequest.bytesMax`.
    public var answerBytes: Int {
        // `offset`, `id`, `from`, `at` and `text`, with their quotes and the longest numbers.
        var bytes = 100 + id.value.jsonBytes + from.user.value.jsonBytes + text.jsonBytes
        if !from.name.hasSameBytes(as: from.user.value) { bytes += 10 + from.name.jsonBytes }
        if replyTo != nil { bytes += 32 }
        if let change {
            bytes += 64
            if case .reaction(let reaction, _, _) = change.kind { bytes += 64 + reaction.value.jsonBytes }
        }
        // The weight counts the form; ids and names have no control characters, so escapes at most double them.
        for file in files { bytes += 2 * file.weight }
        if let amendments { bytes += 64 + 2 * amendments.weight }
        return bytes
    }
}

extension RoomsPage.Room {
    /// The maximum bytes of the room in an answer: its name, an epoch, four numbers, and its newest message.
    /// A store ends a page before they exceed `RoomsRequest.bytesMax`.
    public var answerBytes: Int { 256 + 2 * room.value.utf8.count + (last?.answerBytes ?? 0) }
}

extension [StoredMessage] {
    package var answerBytes: Int { reduce(0) { $0 + $1.answerBytes } }
}

extension String {
    /// The bytes of the string between its quotes, as escaped by `JSONWriter`.
    fileprivate var jsonBytes: Int {
        utf8.reduce(0) { bytes, byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x09, 0x0A, 0x0D: bytes + 2
            case 0..<0x20, 0x7F: bytes + 6
            default: bytes + 1
            }
        }
    }
}
