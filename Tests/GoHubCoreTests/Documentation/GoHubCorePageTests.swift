import GoHubCore
import Testing

// begin: hub
/// Two clients in one process: the second receives what the first sends.
func firstMessage() async throws -> String? {
    guard let alice = UserID("alice"), let bob = UserID("bob"), let lobby = RoomName("lobby") else { return nil }
    let hub = Hub()
    let first = try await hub.connect(Credentials(user: alice))
    let second = try await hub.connect(Credentials(user: bob))
    try await first.join(lobby)
    try await second.join(lobby)
    try await first.send("hello", to: lobby)
    return await second.nextMessage()?.text
}
// end: hub

struct GoHubCorePageTests {
    @Test func secondClientReceivesTheMessage() async throws {
        #expect(try await firstMessage() == "hello")
    }
}
