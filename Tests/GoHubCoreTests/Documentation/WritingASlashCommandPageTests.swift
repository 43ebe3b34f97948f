import GoHubCore
import GoHubTestSupport
import Testing

// begin: command
/// Publishes a random number in the sender's name.
let roll = SlashCommand(
    name: "roll", usage: "/roll [sides]", summary: "roll a die", requires: .write
) { use in
    guard let sides = use.arguments.isEmpty ? 6 : Int(use.arguments), (1...1000).contains(sides) else {
        return .refused(.badRequest, "Usage: /roll [sides], with 1 to 1000 sides.")
    }
    return .publish("rolls \(Int.random(in: 1...sides)) of \(sides)")
}
// end: command

// begin: use
func makeHubWithDice() -> Hub {
    Hub(context: SessionContext(slashCommands: SlashCommand.Registry(adding: [roll])))
}
// end: use

struct WritingASlashCommandPageTests {
    @Test func commandIsPublishedAsItsOutcome() async throws {
        let alice = try await makeHubWithDice().connect(Credentials(user: .alice))
        try await alice.join(.lobby)
        try await alice.send("/roll 1", to: .lobby)
        #expect(await alice.nextMessage()?.text == "rolls 1 of 1")
    }

    @Test(arguments: ["/roll x", "/roll 0", "/roll 1001"])
    func wrongArgumentsAreRefused(_ text: String) async throws {
        let alice = try await makeHubWithDice().connect(Credentials(user: .alice))
        try await alice.join(.lobby)
        let failure = HubClient.Failure.refused(
            .badRequest, message: "Usage: /roll [sides], with 1 to 1000 sides.", retryAfter: nil)
        await #expect(throws: failure) { try await alice.send(text, to: .lobby) }
    }
}
