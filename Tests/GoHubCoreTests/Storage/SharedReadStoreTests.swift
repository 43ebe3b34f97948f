import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@Suite struct SharedReadStoreTests {
    private let base = CountingStore()

    /// The answers, in order.
    private final class Answers: Sendable {
        private let all = Mutex<[String]>([])

        var list: [String] { all.withLock { $0 } }

        func asking(_ name: String, _ store: SharedReadStore, _ request: HistoryRequest) {
            store.readHistory(request) { result in
                let head = (try? result.get()).map { "\($0.head.offset)" } ?? "failed"
                self.all.withLock { $0.append("\(name): \(head)") }
            }
        }
    }

    private func newest(_ room: String = "lobby") -> HistoryRequest {
        HistoryRequest(
            room: RoomID(tenant: .standard, name: .named(room)), range: .newest, messagesMax: 10, bytesMax: 1000)
    }

    @Test func concurrentRequestsShareTheNextRead() {
        let store = SharedReadStore(base)
        let answers = Answers()
        for number in 1...1000 { answers.asking("\(number)", store, newest()) }
        #expect(base.pendingCount == 1)
        base.answer(head: 1)
        #expect(answers.list == ["1: 1"])
        #expect(base.pendingCount == 1)
        base.answer(head: 2)
        #expect(answers.list.count == 1000)
        #expect(answers.list.dropFirst().allSatisfy { $0.hasSuffix(": 2") })
        #expect(base.pendingCount == 0)
        #expect(base.readCount == 2)
    }

    @Test func answersAreNeverOlderThanTheRequest() {
        let store = SharedReadStore(base)
        let answers = Answers()
        answers.asking("early", store, newest())
        answers.asking("late", store, newest())
        base.answer(head: 1)
        #expect(answers.list == ["early: 1"])
        base.answer(head: 2)
        #expect(answers.list == ["early: 1", "late: 2"])
        answers.asking("again", store, newest())
        #expect(base.pendingCount == 1)
        base.answer(head: 3)
        #expect(answers.list.last == "again: 3")
    }

    @Test func differentReadsAreNotShared() {
        let store = SharedReadStore(base)
        let answers = Answers()
        answers.asking("lobby", store, newest())
        answers.asking("cellar", store, newest("cellar"))
        #expect(base.pendingCount == 2)
        base.answer(head: 7)
        base.answer(head: 8)
        #expect(answers.list == ["lobby: 7", "cellar: 8"])
    }

    @Test func failureReachesOnlyItsOwnRequests() {
        let store = SharedReadStore(base)
        let answers = Answers()
        for name in ["first", "second", "third"] { answers.asking(name, store, newest()) }
        base.fail()
        #expect(answers.list == ["first: failed"])
        base.answer(head: 4)
        #expect(answers.list == ["first: failed", "second: 4", "third: 4"])
    }
}

/// A store whose reads wait until the test answers them, the oldest first.
private final class CountingStore: MessageStore {
    private struct State {
        var pending: [@Sendable (Result<HistoryPage, StoreError>) -> Void] = []
        var readCount = 0
    }

    private let state = Mutex(State())

    var pendingCount: Int { state.withLock { $0.pending.count } }
    var readCount: Int { state.withLock { $0.readCount } }

    func append(_ batch: [MessageDraft], completion: @escaping @Sendable ([AppendOutcome]) -> Void) {
        completion([])
    }

    func readHistory(
        _ request: HistoryRequest, completion: @escaping @Sendable (Result<HistoryPage, StoreError>) -> Void
    ) {
        state.withLock { state in
            state.pending.append(completion)
            state.readCount += 1
        }
    }

    func saveReceipts(_ receipts: [ReceiptNote], completion: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        completion(.success(()))
    }

    func saveSanctions(
        _ sanctions: [SanctionNote],
        completion: @escaping @Sendable (Result<[SanctionNote.Outcome], StoreError>) -> Void
    ) {
        completion(.failure(StoreError("no sanctions")))
    }

    func readRooms(_ request: RoomsRequest, completion: @escaping @Sendable (Result<RoomsPage, StoreError>) -> Void) {
        completion(.failure(StoreError("no rooms")))
    }

    func readHeads(_ known: [RoomHead], completion: @escaping @Sendable (Result<[RoomHead], StoreError>) -> Void) {
        completion(.success([]))
    }

    func answer(head: Offset) {
        let page = HistoryPage(head: Position(epoch: Epoch("e"), offset: head), messages: [], more: false)
        state.withLock { $0.pending.removeFirst() }(.success(page))
    }

    func fail() {
        state.withLock { $0.pending.removeFirst() }(.failure(StoreError("away")))
    }
}
