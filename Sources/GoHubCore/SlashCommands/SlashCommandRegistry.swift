extension SlashCommand {
    /// The slash commands of a hub: built-in ones and an embedder's. Fixed when the hub starts.
    public struct Registry: Sendable {
        private var commands: [String: SlashCommand] = [:]

        /// - Parameter own: an embedder's commands; one with a built-in's name replaces it.
        public init(adding own: [SlashCommand] = []) {
            for command in SlashCommand.builtIn + own {
                commands[command.name] = command
            }
            commands["help"] = .help(for: Array(commands.values))
        }

        /// Evaluates a text: `nil` when it is no slash command and is published unchanged.
        ///
        /// - Returns: for `//text` the publishing of `/text`; for an unknown command a refusal.
        public func outcome(of text: String, from sender: Member, in room: RoomName, permissions: Permissions)
            -> SlashCommand.Outcome?
        {
            guard text.utf8.first == UInt8(ascii: "/"), text.first == "/" else { return nil }
            let body = text.dropFirst()
            if body.first == "/" { return .publish(String(body)) }
            let name = body.prefix { !$0.isWhitespace }
            guard let command = commands[String(name)] else {
                return .refused(
                    .notFound,
                    "There is no such command. /help lists the commands; start the text with // to send a literal slash."
                )
            }
            let forbidden = SlashCommand.Outcome.refused(.forbidden, "You may not use /\(command.name) here.")
            guard permissions.isSuperset(of: command.requires) else { return forbidden }
            let invocation = SlashCommand.Invocation(
                arguments: body.dropFirst(name.count).trimmed, sender: sender, room: room, permissions: permissions)
            let outcome = command.run(invocation)
            // Whatever the command requires: its author may have forgotten to.
            if case .sanction = outcome, !permissions.contains(.moderate) { return forbidden }
            return outcome
        }
    }
}
