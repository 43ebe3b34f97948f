import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Which messages with files a session passes on.
struct SessionFilesTests {
    private static let id = FileID.random()
    private let reference = FileReference(SessionFilesTests.id, alt: AltText("a cat"))
    private let file = #"{"id":"\#(SessionFilesTests.id)","alt":"a cat"}"#

    private func wanted(_ text: String, in room: RoomName = .lobby) -> SessionAction {
        let draft = MessageDraft(
            room: RoomID(tenant: .standard, name: room), id: .named("s"), from: Member(user: .alice),
            receivedAt: .ms(0), text: text, replyTo: 3, files: [reference])
        return .hub(.published(AppendRequest(requester: .session(1, id: "s"), draft: draft)))
    }

    private func send(_ text: String, to target: String = #""room":"lobby""#, more: String = "") -> String {
        #"{"op":"send","id":"s",\#(target),"text":"\#(text)","replyTo":3,"files":[\#(file)]\#(more)}"#
    }

    @Test func writerMayAttachFiles() {
        var fixture = SessionFixture.inLobby()
        #expect(fixture.say(send("look")) == [wanted("look")])
        #expect(fixture.say(send("")) == [wanted("")], "files need no words")
        #expect(fixture.say(send("", to: #""to":"bob""#)) == [wanted("", in: .direct(.alice, .bob))])
        var reader = SessionFixture.inLobby(
            grants: Grants(Grants.participant.entries.map { Grants.Entry(match: $0.match, can: .read) }))
        #expect(reader.say(send("look")) == [.error("s", .forbidden, "You may not write in this room.")])
    }

    @Test(arguments: ["/me shows", "/w bob look", "/join lobby", "/who", "/nonsense", "/"])
    func slashCommandTakesNoFiles(_ text: String) {
        var fixture = SessionFixture.inLobby()
        let message = "Slash commands take no files. Start the text with // to send a literal slash."
        #expect(fixture.say(send(text)) == [.error("s", .badRequest, message)])
    }

    @Test func escapedSlashTextMayHaveFiles() {
        var fixture = SessionFixture.inLobby()
        #expect(fixture.say(send("//me")) == [wanted("/me")])
    }

    @Test func ephemeralMessageTakesNoFiles() {
        var fixture = SessionFixture.inLobby()
        #expect(
            fixture.say(send("look", more: #","ephemeral":true"#)) == [
                .error("s", .badRequest, "Ephemeral messages cannot have files.")
            ])
    }

    /// Clients in the process bypass the decoder.
    @Test func tooManyOrRepeatedFilesAreRefused() {
        var fixture = SessionFixture.inLobby()
        func send(_ files: [FileReference]) -> Command {
            .send(Command.Send(id: .named("s"), target: .room(.lobby), text: "", files: files))
        }
        let many = (0..<11).map { _ in FileReference(.random()) }
        #expect(
            fixture.session.actions { $0.received(send(many), now: .ms(0), at: .ms(0), into: &$1) } == [
                .error("s", .tooLarge, "A message has at most 10 files.")
            ])
        #expect(
            fixture.session.actions {
                $0.received(send([reference, FileReference(Self.id)]), now: .ms(0), at: .ms(0), into: &$1)
            } == [
                .error("s", .badRequest, "A file is named twice.")
            ])
        #expect(
            fixture.session.actions { $0.received(send(Array(many.prefix(10))), now: .ms(0), at: .ms(0), into: &$1) }
                .count == 1)
    }
}
