extension SlashCommand {
    static let builtIn: [SlashCommand] = [
        SlashCommand(name: "w", usage: "/w user text", summary: "send a private message to a user") { use in
            guard let (word, text) = use.firstArgument, let user = UserID(word), !text.isEmpty else {
                return .refused(.badRequest, "Usage: /w user text")
            }
            return .whisper(user, text)
        },
        SlashCommand(name: "me", usage: "/me action", summary: "describe an action", requires: .write) { use in
            use.arguments.isEmpty
                ? .refused(.badRequest, "Usage: /me action") : .publish("* \(use.sender.name) \(use.arguments)")
        },
        decoration("shrug", #"¯\_(ツ)_/¯"#),
        decoration("lenny", "( ͡° ͜ʖ ͡°)"),
        decoration("tableflip", "(╯°□°)╯︵ ┻━┻"),
        decoration("unflip", "┬─┬ ノ( ゜-゜ノ)"),
        SlashCommand(name: "join", usage: "/join room", summary: "enter a room") { use in
            RoomName(use.arguments).map { .join($0) } ?? .refused(.badRequest, "Usage: /join room")
        },
        SlashCommand(name: "leave", usage: "/leave [room]", summary: "leave this room or another one") { use in
            let name: RoomName? = use.arguments.isEmpty ? use.room : RoomName(use.arguments)
            return name.map { .leave($0) } ?? .refused(.badRequest, "Usage: /leave [room]")
        },
        SlashCommand(name: "who", usage: "/who", summary: "list the members of this room", requires: .read) {
            .who($0.room)
        },
        SlashCommand(name: "ping", usage: "/ping", summary: "check that the hub responds") { _ in .notice("pong") },
        SlashCommand(name: "kick", usage: "/kick user", summary: "remove a user from the room", requires: .moderate) {
            use in
            sanction(use, usage: "/kick user") { _ in .kick }
        },
        SlashCommand(
            name: "mute", usage: "/mute user [minutes]", summary: "stop a user from writing", requires: .moderate
        ) { use in
            sanction(use, usage: "/mute user [minutes]") { .mute(minutes: $0) }
        },
        SlashCommand(
            name: "ban", usage: "/ban user [minutes]", summary: "remove a user and prevent them from rejoining",
            requires: .moderate
        ) { use in
            sanction(use, usage: "/ban user [minutes]") { .ban(minutes: $0) }
        },
        SlashCommand(
            name: "pardon", usage: "/pardon user", summary: "end a mute or a ban", requires: .moderate
        ) { use in
            sanction(use, usage: "/pardon user") { _ in .pardon }
        },
    ]

    /// Lists the commands that the sender may use.
    static func help(for commands: [SlashCommand]) -> SlashCommand {
        let sorted = commands.sorted { $0.name < $1.name }
        return SlashCommand(name: "help", usage: "/help", summary: "list these commands") { use in
            let lines = sorted.filter { use.permissions.isSuperset(of: $0.requires) }
                .map { "\($0.usage) – \($0.summary)" }
            return .notice((lines + ["//text – send a text that starts with a slash"]).joined(separator: "\n"))
        }
    }

    /// Appends an emoticon to a text.
    private static func decoration(_ name: String, _ figure: String) -> SlashCommand {
        SlashCommand(name: name, usage: "/\(name) [text]", summary: "append \(figure)", requires: .write) { use in
            .publish(use.arguments.isEmpty ? figure : "\(use.arguments) \(figure)")
        }
    }

    /// Parses `user [minutes]`; the default is ten minutes.
    private static func sanction(
        _ use: SlashCommand.Invocation, usage: String, _ kind: (UInt64) -> Sanction.Kind
    ) -> SlashCommand.Outcome {
        guard let (word, rest) = use.firstArgument, let user = UserID(word) else {
            return .refused(.badRequest, "Usage: \(usage)")
        }
        guard let minutes = rest.isEmpty ? 10 : UInt64(rest), minutes >= 1 else {
            return .refused(.badRequest, "Usage: \(usage)")
        }
        return .sanction(kind(minutes), user)
    }
}
