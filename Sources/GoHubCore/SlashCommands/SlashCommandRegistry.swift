/// The slash commands of a hub: the built-in ones and an embedder's own. Fixed when the hub starts.
public struct SlashCommandRegistry: Sendable {
    private var commands: [String: SlashCommand] = [:]

    /// - Parameter own: an embedder's commands; one with a built-in's name takes its place.
    public init(adding own: [SlashCommand] = []) {
        for command in SlashCommand.builtIn + own {
            commands[command.name] = command
        }
        commands["help"] = .help(for: Array(commands.values))
    }

    /// What a text means: `nil` when it is no slash command and goes into the room as it is.
    ///
    /// - Returns: for `//text` the publishing of `/text`; for a command that doesn't exist, a refusal.
    public func outcome(of text: String, from sender: Member, in room: RoomName, permissions: Permissions)
        -> SlashOutcome?
    {
        guard text.utf8.first == UInt8(ascii: "/"), text.first == "/" else { return nil }
        let body = text.dropFirst()
        if body.first == "/" { return .publish(String(body)) }
        let name = body.prefix { !$0.isWhitespace }
        guard let command = commands[String(name)] else {
            return .refused(
                .notFound, "no such command; /help lists them, and // sends a text that starts with a slash")
        }
        guard permissions.isSuperset(of: command.requires) else {
            return .refused(.forbidden, "you may not use /\(command.name) here")
        }
        let invocation = SlashInvocation(
            arguments: body.dropFirst(name.count).trimmed, sender: sender, room: room, permissions: permissions)
        return command.run(invocation)
    }
}
