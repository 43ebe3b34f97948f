import GoHubCore
import GoHubTestSupport
import Testing

struct GrantsTests {
    @Test(arguments: [
        ("lobby", "lobby", true), ("lobby", "lobby2", false), ("team-*", "team-a", true), ("team-*", "team-", true),
        ("team-*", "team", false), ("*", "anything", true), ("a*", "a", true), ("lobby2", "lobby", false),
    ])
    func patterns(_ pattern: String, _ room: String, _ matches: Bool) throws {
        let pattern = try #require(Grants.Pattern(pattern))
        #expect(pattern.matches(.named(room)) == matches)
    }

    @Test(arguments: ["", "**", "a*b", "*a", "A*", "a b", ".a", "dm:a:b", "dm:*", String(repeating: "x", count: 65)])
    func noPatterns(_ pattern: String) {
        #expect(Grants.Pattern(pattern) == nil)
    }

    @Test func patternDescriptionRoundTrips() {
        for text in ["*", "a*", "lobby", String(repeating: "x", count: 64) + "*"] {
            #expect(Grants.Pattern(text)?.description == text)
        }
    }

    @Test func grantEntriesAreUnited() throws {
        let grants = Grants([
            .init(match: try #require(Grants.Pattern("*")), can: .read),
            .init(match: try #require(Grants.Pattern("team-*")), can: .write),
            .init(match: try #require(Grants.Pattern("team-a")), can: .moderate),
        ])
        #expect(grants.permissions(of: .alice, in: .named("lobby")) == .read)
        #expect(grants.permissions(of: .alice, in: .named("team-b")) == [.read, .write])
        #expect(grants.permissions(of: .alice, in: .named("team-a")) == .all)
        #expect(Grants([]).permissions(of: .alice, in: .lobby) == [])
    }

    @Test func theStandardPolicies() {
        #expect(Grants.participant.permissions(of: .alice, in: .lobby) == [.read, .write])
        #expect(Grants.moderator.permissions(of: .alice, in: .lobby) == .all)
    }

    /// No grant gives access to a direct conversation of two other users, and a user needs none for their own.
    @Test func directConversationPermissions() {
        let room = RoomName.direct(.alice, .bob)
        for grants in [Grants([]), .participant, .moderator] {
            #expect(grants.permissions(of: .alice, in: room) == [.read, .write])
            #expect(grants.permissions(of: .bob, in: room) == [.read, .write])
            #expect(grants.permissions(of: .carol, in: room) == [])
        }
    }
}
