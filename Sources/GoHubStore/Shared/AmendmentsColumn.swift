internal import GoHubCore

extension Amendments {
    /// One line each for the edit, the deletion and every reaction. No part of a line contains a control character.
    var encoded: String {
        var lines: [String] = []
        if let edited { lines.append("e\t\(edited.offset)\t\(edited.at.milliseconds)") }
        if let deleted { lines.append("d\t\(deleted.offset)\t\(deleted.at.milliseconds)") }
        for tally in reactions {
            lines.append(
                (["r", "\(tally.count)", tally.reaction.value] + tally.users.map(\.value)).joined(separator: "\t"))
        }
        return lines.joined(separator: "\n")
    }

    /// - Returns: `nil` for a malformed encoding, which no hub writes.
    init?(encoded: String) {
        self.init()
        for line in encoded.utf8.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: "\t")).map { String(decoding: $0, as: UTF8.self) }
            guard words.count >= 3 else { return nil }
            switch words[0] {
            case "e", "d":
                guard let offset = Offset(words[1]), let at = Int64(words[2]) else { return nil }
                let mark = Mark(offset: offset, at: WallTime(milliseconds: at))
                if words[0] == "e" { edited = mark } else { deleted = mark }
            case "r":
                guard let count = Int(words[1]), count > 0, let reaction = Reaction(words[2]) else { return nil }
                let users = words.dropFirst(3).compactMap { UserID($0) }
                guard users.count == words.count - 3 else { return nil }
                reactions.append(Tally(reaction, count: count, users: users))
            default: return nil
            }
        }
    }
}
