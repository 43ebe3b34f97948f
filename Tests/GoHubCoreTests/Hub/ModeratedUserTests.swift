import GoHubCore
import GoHubTestSupport
import Testing

struct ModeratedUserTests {
    @Test func noCommandTellsABannedUserOfTheRoomOrLetsAMutedOneWrite() async throws {
        try await ModeratedUserWalk(InMemoryMessageStore(seed: 1)).run()
    }
}
