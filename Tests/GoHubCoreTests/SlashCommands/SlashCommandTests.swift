import GoHubTestSupport
import Testing

@testable import GoHubCore

struct SlashCommandTests {
    private func outcome(
        _ text: String, _ registry: SlashCommand.Registry = SlashCommand.Registry(), permissions: Permissions = .all
    ) -> SlashCommand.Outcome? {
        registry.outcome(
            of: text, from: Member(user: .alice, name: "Alice"), in: .lobby, permissions: permissions)
    }

    // MARK: Recognition

    @Test(arguments: ["hi", " /me waves", "", "1/2", "http://example.org"])
    func plainTextIsNoCommand(_ text: String) {
        #expect(outcome(text) == nil)
    }

    @Test func doubleSlashIsLiteral() {
        #expect(outcome("//shrug") == .publish("/shrug"))
        #expect(outcome("//") == .publish("/"))
        #expect(outcome("///x") == .publish("//x"))
    }

    @Test(arguments: ["/", "/ me", "/nothing", "/ME", "/me2", "/\u{301}"])
    func unknownSlashCommandIsRefused(_ text: String) {
        guard text != "/\u{301}" else {
            #expect(outcome(text) == nil, "a slash with a mark is another character")
            return
        }
        guard case .refused(.notFound, _) = outcome(text) else {
            Issue.record("\(text) wasn't refused")
            return
        }
    }

    // MARK: The built-in ones

    @Test(
        arguments: [
            ("/me waves", .publish("* Alice waves")), ("/me  two  spaces ", .publish("* Alice two  spaces")),
            ("/me\nwaves", .publish("* Alice waves")),
            ("/shrug", .publish(#"¯\_(ツ)_/¯"#)), ("/shrug so what", .publish(#"so what ¯\_(ツ)_/¯"#)),
            ("/lenny", .publish("( ͡° ͜ʖ ͡°)")), ("/tableflip", .publish("(╯°□°)╯︵ ┻━┻")),
            ("/unflip x", .publish("x ┬─┬ ノ( ゜-゜ノ)")),
            ("/w bob psst", .whisper(.bob, "psst")), ("/w \"Bob B\" a b", .whisper(.named("Bob B"), "a b")),
            ("/w   bob   psst  ", .whisper(.bob, "psst")),
            ("/join other", .join(.named("other"))), ("/leave", .leave(.lobby)),
            ("/leave other", .leave(.named("other"))),
            ("/who", .who(.lobby)), ("/ping", .notice("pong")),
            ("/kick bob", .sanction(.kick, .bob)), ("/kick \"Bob B\"", .sanction(.kick, .named("Bob B"))),
            ("/mute bob", .sanction(.mute(minutes: 10), .bob)), ("/mute bob 5", .sanction(.mute(minutes: 5), .bob)),
            ("/ban bob 60", .sanction(.ban(minutes: 60), .bob)), ("/pardon bob", .sanction(.pardon, .bob)),
        ] as [(String, SlashCommand.Outcome)])
    func means(_ text: String, _ expected: SlashCommand.Outcome) {
        #expect(outcome(text) == expected)
    }

    @Test(arguments: [
        ("/w", "Usage: /w user text"), ("/w bob", "Usage: /w user text"), ("/w \"bob", "Usage: /w user text"),
        ("/w \"\" hi", "Usage: /w user text"), ("/me", "Usage: /me action"), ("/join", "Usage: /join room"),
        ("/join No Room", "Usage: /join room"), ("/leave No Room", "Usage: /leave [room]"),
        ("/kick", "Usage: /kick user"),
        ("/mute", "Usage: /mute user [minutes]"), ("/mute bob x", "Usage: /mute user [minutes]"),
        ("/mute bob 0", "Usage: /mute user [minutes]"), ("/mute bob -1", "Usage: /mute user [minutes]"),
        ("/ban bob 99999999999999999999", "Usage: /ban user [minutes]"), ("/pardon", "Usage: /pardon user"),
    ])
    func wrongUseReturnsUsage(_ text: String, _ usage: String) {
        #expect(outcome(text) == .refused(.badRequest, usage))
    }

    @Test(arguments: ["/me x", "/shrug", "/lenny", "/tableflip", "/unflip"])
    func writingNeedsThePermission(_ text: String) {
        guard case .refused(.forbidden, _) = outcome(text, permissions: .read) else {
            Issue.record("\(text) wasn't refused")
            return
        }
    }

    @Test(arguments: ["/kick bob", "/mute bob", "/ban bob", "/pardon bob"])
    func moderatingNeedsThePermission(_ text: String) {
        let name = text.dropFirst().prefix { $0 != " " }
        #expect(outcome(text, permissions: [.read, .write]) == .refused(.forbidden, "You may not use /\(name) here."))
    }

    @Test func helpListsPermittedCommands() {
        guard case .notice(let all) = outcome("/help"),
            case .notice(let few) = outcome("/help", permissions: [.read, .write])
        else {
            Issue.record("no notice")
            return
        }
        #expect(all.contains("/kick user – remove a user from the room"))
        #expect(!few.contains("/kick"))
        #expect(few.contains("/me action"))
        #expect(few.hasSuffix("//text – send a text that starts with a slash"))
        let lines = few.split(separator: "\n").dropLast()
        #expect(lines == lines.sorted()[...])
    }

    // MARK: An embedder's own

    @Test func ownCommandsExtendOrReplaceBuiltIns() {
        let roll = SlashCommand(name: "roll", usage: "/roll", summary: "roll a die") { use in
            .notice("\(use.arguments) \(use.sender.name) \(use.room) \(use.permissions.rawValue)")
        }
        let ping = SlashCommand(name: "ping", usage: "/ping", summary: "own") { _ in .publish("own") }
        let registry = SlashCommand.Registry(adding: [roll, ping])
        #expect(outcome("/roll  2d6 ", registry) == .notice("2d6 Alice lobby 7"))
        #expect(outcome("/ping", registry) == .publish("own"))
        guard case .notice(let help) = outcome("/help", registry) else {
            Issue.record("no notice")
            return
        }
        #expect(help.contains("/roll – roll a die"))
        #expect(help.contains("/ping – own"))
    }

    // MARK: In a session

    @Test func sessionPerformsOutcome() {
        var fixture = SessionFixture.inLobby(grants: .moderator)
        #expect(fixture.type("/me waves") == [.published("* alice waves")])
        #expect(fixture.type("//me") == [.published("/me")])
        #expect(fixture.type("/w bob psst") == [.published("psst", in: .direct(.alice, .bob))])
        #expect(
            fixture.type("/join other") == [
                .hub(.joined(.make(.number(1), .alice, id: "s", room: .named("other"), limit: 50)))
            ])
        #expect(fixture.type("/who") == [.hub(.membersRequested(.session(1, id: "s"), .lobby))])
        let kick = Sanction(.kick, user: .bob, by: Member(user: .alice))
        #expect(fixture.type("/kick bob") == [.hub(.sanctioned(.session(1, id: "s"), .lobby, kick))])
        #expect(fixture.type("/ping") == [.send(.notice(id: .named("s"), room: .lobby, text: "pong"))])
        #expect(fixture.type("/join") == [.error("s", .badRequest, "Usage: /join room")])
        #expect(fixture.type("/leave") == [.hub(.left(.number(1), .lobby, id: .named("s")))])
        #expect(fixture.type("/leave nowhere") == [.error("s", .notFound, "You are not in this room.")])
    }

    @Test func appendedFigureRespectsTextLimit() {
        var limits = Limits()
        limits.textBytesMax = 12
        var fixture = SessionFixture.inLobby(context: SessionContext(limits: limits, limiter: SessionFixture.unlimited))
        #expect(fixture.type("/shrug") == [.error("s", .tooLarge, "The text is too long.")])
    }

    @Test func directConversationHasNoModerator() {
        var fixture = SessionFixture.active(grants: .moderator)
        let actions = fixture.say(#"{"op":"send","id":"s","to":"bob","text":"/kick bob"}"#)
        #expect(actions == [.error("s", .forbidden, "You may not use /kick here.")])
    }

    /// Otherwise any user could moderate by a command whose author forgot `requires: .moderate`.
    @Test func sanctionOfAnOwnCommandNeedsModerate() {
        let command = SlashCommand(name: "boo", usage: "/boo", summary: "kick bob") { _ in .sanction(.kick, .bob) }
        let registry = SlashCommand.Registry(adding: [command])
        let refusal = SlashCommand.Outcome.refused(.forbidden, "You may not use /boo here.")
        #expect(outcome("/boo", registry, permissions: [.read, .write]) == refusal)
        #expect(outcome("/boo", registry, permissions: .all) == .sanction(.kick, .bob))
    }

    /// The same through a session: the client gets the error of the built-in commands, and the hub nothing.
    @Test func participantCannotModerateByAnOwnCommand() {
        let command = SlashCommand(name: "boo", usage: "/boo", summary: "kick bob") { _ in .sanction(.kick, .bob) }
        let context = SessionContext(
            limiter: SessionFixture.unlimited, slashCommands: SlashCommand.Registry(adding: [command]))
        var participant = SessionFixture.inLobby(context: context)
        #expect(participant.type("/boo") == [.error("s", .forbidden, "You may not use /boo here.")])
        #expect(participant.type("/kick bob") == [.error("s", .forbidden, "You may not use /kick here.")])
        var moderator = SessionFixture.inLobby(context: context, grants: .moderator)
        let kick = Sanction(.kick, user: .bob, by: Member(user: .alice))
        let room = RoomID(tenant: .standard, name: .lobby)
        #expect(moderator.type("/boo") == [.hub(.sanctioned(.session(1, id: "s"), room, kick))])
    }
}
