import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import gohubd

struct LoggedStoreTests {
    @Test func failuresAreLoggedOnceInTenSeconds() async {
        let time = TestTime()
        let lines = Mutex<[String]>([])
        let faulty = FaultInjectingStore()
        let store = LoggedStore(faulty, now: { time.now }, log: { line in lines.withLock { $0.append(line) } })
        func draft(_ id: String) -> MessageDraft {
            MessageDraft(room: .lobby, id: .named(id), from: Member(user: .alice), receivedAt: .ms(0), text: "")
        }
        let request = HistoryRequest(room: .lobby, range: .newest, messagesMax: 9, bytesMax: 9)
        #expect(await store.append([draft("a")]).map(\.offset) == [1])
        #expect(lines.withLock { $0 } == [])
        faulty.fail(.failBefore)
        #expect(await store.append([draft("b")]).map(\.offset) == [nil])
        #expect(lines.withLock { $0 } == ["the store failed 1 request (unavailable): a fault of the test"])
        time.advance(by: 9_999)
        faulty.fail(.failBefore)
        _ = await store.append([draft("b"), draft("c")])
        faulty.fail(.failBefore)
        let page = await store.read(request)
        #expect(throws: StoreError.self) { try page.get() }
        #expect(lines.withLock { $0.count } == 1)
        time.advance(by: 1)
        faulty.fail(.failBefore)
        _ = await store.append([draft("b")])
        #expect(lines.withLock { $0.last } == "the store failed 4 requests (unavailable): a fault of the test")
        #expect(lines.withLock { $0.count } == 2)
        #expect(await store.append([draft("b")]).map(\.offset) == [2])
    }
}
