import GoHubCore
import GoHubTestSupport
import Testing

/// The store in memory behind `async` requirements.
private struct AwaitedStore: AsyncMessageStore {
    let store = InMemoryMessageStore(seed: 1)
    /// Each request throws this instead of answering.
    var error: StoreError?

    private func check() throws(StoreError) {
        if let error { throw error }
    }

    func append(_ batch: [MessageDraft]) async -> [AppendOutcome] {
        await Task.yield()
        return batch.map { store.append($0) }
    }

    func readHistory(_ request: HistoryRequest) async throws(StoreError) -> HistoryPage {
        try check()
        return store.readHistory(request)
    }

    func readRooms(_ request: RoomsRequest) async throws(StoreError) -> RoomsPage {
        try check()
        return store.readRooms(request)
    }

    func readHeads(_ known: [RoomHead]) async throws(StoreError) -> [RoomHead] {
        try check()
        return store.readHeads(known)
    }

    func saveReceipts(_ receipts: [ReceiptNote]) async throws(StoreError) {
        try check()
        store.saveReceipts(receipts)
    }

    func saveSanctions(_ sanctions: [SanctionNote]) async throws(StoreError) -> [SanctionNote.Outcome] {
        try check()
        return store.saveSanctions(sanctions)
    }
}

struct MessageStoreAdapterTests {
    @Test(arguments: MessageStoreContract.checks)
    func keepsTheContract(_ check: MessageStoreContract) async {
        await check.run(on: MessageStoreAdapter(AwaitedStore()))
    }

    @Test func thrownErrorsAreAnswers() async {
        let error = StoreError("The database is away.")
        let store: any MessageStore = MessageStoreAdapter(AwaitedStore(error: error))
        let history = HistoryRequest(room: .lobby, range: .newest, messagesMax: 1, bytesMax: 1)
        #expect(await store.read(history) == .failure(error))
        let user = UserKey(tenant: .standard, user: .alice)
        let rooms = RoomsRequest(user: user, grants: .participant, roomsMax: 1, bytesMax: 1)
        #expect(await store.read(rooms) == .failure(error))
        await #expect(throws: error) { try await store.store([ReceiptNote]()).get() }
        #expect(await store.store([SanctionNote]()) == .failure(error))
    }
}
