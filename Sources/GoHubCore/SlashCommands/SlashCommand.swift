/// A command that a user types as text: `/name arguments`.
///
/// It runs at the edge, on the connection's own loop, and only turns text into what the client could have asked for
/// itself; the hub never sees it. `run` must not block.
public struct SlashCommand: Sendable {
    /// Without the slash, `[a-z]{1,20}`.
    public let name: String
    /// As shown by `/help`, such as `/w user text`.
    public let usage: String
    /// One line for `/help`.
    public let summary: String
    /// What the sender must be allowed in the room.
    public let requires: Permissions
    public let run: @Sendable (SlashInvocation) -> SlashOutcome

    public init(
        name: String, usage: String, summary: String, requires: Permissions = [],
        run: @escaping @Sendable (SlashInvocation) -> SlashOutcome
    ) {
        self.name = name
        self.usage = usage
        self.summary = summary
        self.requires = requires
        self.run = run
    }
}

/// One use of a slash command.
public struct SlashInvocation: Sendable {
    /// What follows the name, without the white space around it.
    public let arguments: String
    public let sender: Member
    /// Where it was typed.
    public let room: RoomName
    /// What the sender may do there.
    public let permissions: Permissions

    public init(arguments: String, sender: Member, room: RoomName, permissions: Permissions) {
        self.arguments = arguments
        self.sender = sender
        self.room = room
        self.permissions = permissions
    }

    /// The first word of the arguments and the rest; quotes around the first keep its spaces.
    public var firstArgument: (word: String, rest: String)? {
        guard !arguments.isEmpty else { return nil }
        if arguments.first == "\"", let end = arguments.dropFirst().firstIndex(of: "\"") {
            let word = arguments[arguments.index(after: arguments.startIndex)..<end]
            return (String(word), arguments[arguments.index(after: end)...].trimmed)
        }
        let word = arguments.prefix { !$0.isWhitespace }
        return (String(word), arguments.dropFirst(word.count).trimmed)
    }
}

/// What a slash command comes to.
public enum SlashOutcome: Equatable, Sendable {
    /// The text goes into the room in its place.
    case publish(String)
    case whisper(UserID, String)
    case join(RoomName)
    case leave(RoomName)
    case who(RoomName)
    case sanction(Sanction.Kind, UserID)
    /// Only the sender sees it.
    case notice(String)
    case refused(ErrorCode, String)
}

extension StringProtocol {
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
