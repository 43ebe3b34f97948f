/// A command that a user types as text: `/name arguments`.
///
/// It runs at the edge, on the connection's own loop, and only turns text into a request that the client could have
/// sent itself; the hub never sees it. `run` must not block.
public struct SlashCommand: Sendable {
    /// Without the slash, `[a-z]{1,20}`.
    public let name: String
    /// The usage shown by `/help`, such as `/w user text`.
    public let usage: String
    /// One line for `/help`.
    public let summary: String
    /// The permissions that the sender needs in the room.
    public let requires: Permissions
    /// Turns one use into its outcome. It runs on the connection's loop, so it must not block.
    public let run: @Sendable (SlashCommand.Invocation) -> SlashCommand.Outcome

    public init(
        name: String, usage: String, summary: String, requires: Permissions = [],
        run: @escaping @Sendable (SlashCommand.Invocation) -> SlashCommand.Outcome
    ) {
        self.name = name
        self.usage = usage
        self.summary = summary
        self.requires = requires
        self.run = run
    }
}

extension SlashCommand {
    /// One use of a slash command.
    public struct Invocation: Sendable {
        /// The text after the name, without surrounding white space.
        public let arguments: String
        public let sender: Member
        /// The room in which it was typed.
        public let room: RoomName
        /// The sender's permissions in that room.
        public let permissions: Permissions

        /// - Parameters:
        ///   - arguments: the text after the name, without surrounding white space.
        ///   - sender: the user who typed it.
        ///   - room: the room in which it was typed.
        ///   - permissions: the sender's permissions in that room.
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
}

extension SlashCommand {
    /// The result of a slash command.
    public enum Outcome: Equatable, Sendable {
        /// Publishes this text instead.
        case publish(String)
        /// Sends the text to the direct conversation with the user.
        case whisper(UserID, String)
        /// Joins the room, with up to 50 of its messages.
        case join(RoomName)
        /// Leaves the room.
        case leave(RoomName)
        /// Lists the members of the room, which the sender must have joined.
        case who(RoomName)
        /// Moderates a user in this room. Refused unless the sender has `moderate` there, whatever the command
        /// requires.
        case sanction(Sanction.Kind, UserID)
        /// A text that only the sender sees.
        case notice(String)
        /// Replies with an error: the code, and a sentence for the sender.
        case refused(ErrorCode, String)
    }
}

extension StringProtocol {
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
