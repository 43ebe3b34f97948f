/// The name of a room inside a tenant: a plain one, or the direct conversation of two users.
///
/// Plain names are `[a-z0-9][a-z0-9._-]{0,63}`. A direct conversation is `dm:<a>:<b>` with the two user ids in
/// byte order, `:` and `%` in them percent-encoded, so that a name belongs to one pair only.
public struct RoomName: Hashable, Sendable, CustomStringConvertible {
    /// 1–64 bytes of ASCII for a plain room, at most 772 bytes of UTF-8 for a direct conversation.
    public let value: String

    /// Parses a client's room name; `nil` when it is invalid or not in canonical form.
    public init?(_ value: String) {
        if Self.hasDirectPrefix(value) {
            guard let (first, second) = Self.splitDirect(value),
                Self.direct(first, second).value.hasSameBytes(as: value)
            else { return nil }
        } else {
            guard Self.isPlainName(value) else { return nil }
        }
        self.value = value
    }

    private init(unchecked value: String) {
        self.value = value
    }

    /// The conversation of two users, the same whoever starts it.
    public static func direct(_ one: UserID, _ other: UserID) -> RoomName {
        let (first, second) = one < other ? (one, other) : (other, one)
        return RoomName(unchecked: "\(directPrefix)\(escape(first.value)):\(escape(second.value))")
    }

    /// Whether it is the direct conversation of two users.
    public var isDirect: Bool { Self.hasDirectPrefix(value) }

    /// The two users of a direct conversation, in byte order; `nil` for a plain room.
    public var participants: (UserID, UserID)? {
        isDirect ? Self.splitDirect(value) : nil
    }

    public static func == (left: RoomName, right: RoomName) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }

    private static let directPrefix = "dm:"

    /// A plain name has no `:`, so the third byte distinguishes most of them.
    private static func hasDirectPrefix(_ value: String) -> Bool {
        value.withBytes { bytes in
            bytes.count >= 3 && bytes[2] == UInt8(ascii: ":") && bytes[1] == UInt8(ascii: "m")
                && bytes[0] == UInt8(ascii: "d")
        }
    }

    static func isPlainName(_ value: String) -> Bool {
        value.withBytes { bytes in
            guard let first = bytes.first, bytes.count <= 64, isLetterOrDigit(first) else { return false }
            for byte in bytes {
                let isSign = byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
                guard isLetterOrDigit(byte) || isSign else { return false }
            }
            return true
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// By scalars, not characters: an id may start with a combining mark that would merge with the `:` before it.
    private static func splitDirect(_ value: String) -> (UserID, UserID)? {
        let parts = value.unicodeScalars.dropFirst(directPrefix.unicodeScalars.count)
            .split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = UserID(unescape(parts[0])), let second = UserID(unescape(parts[1])) else {
            return nil
        }
        return (first, second)
    }

    private static func escape(_ id: String) -> String {
        var escaped = ""
        for scalar in id.unicodeScalars {
            switch scalar {
            case "%": escaped += "%25"
            case ":": escaped += "%3A"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// Reverses `escape`. Any other text after a `%` is kept and fails the canonical check.
    private static func unescape(_ part: Substring.UnicodeScalarView) -> String {
        var id = ""
        var rest = part
        while let scalar = rest.popFirst() {
            guard scalar == "%" else {
                id.unicodeScalars.append(scalar)
                continue
            }
            let code = String(String.UnicodeScalarView(rest.prefix(2)))
            switch code {
            case "25": id += "%"
            case "3A": id += ":"
            default: id += "%" + code
            }
            rest = rest.dropFirst(2)
        }
        return id
    }
}
