import GoHubCore
import GoHubTestSupport
import Testing

struct ModeratedUserTests {
    @Test func commandsRespectBanAndMute() async throws {
        try await ModeratedUserWalk(InMemoryMessageStore(seed: 1)).run()
    }
}
