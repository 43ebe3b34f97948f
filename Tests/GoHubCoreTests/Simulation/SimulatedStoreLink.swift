import GoHubTestSupport

@testable import GoHubCore

/// A hub's link to the store that all hubs of a simulation share: what the hub has asked, and what is answered.
///
/// Each request is one transaction. Those of all shards and hubs take effect in any order, and their answers overtake
/// each other: a shard has only one batch of messages under way (`AppendBatcher`), so nothing else keeps their order.
/// Some requests fail before their effect, some after it, and some batches take effect long after their failure.
struct SimulatedStoreLink {
    enum Fault {
        /// - `isCertain`: whether the hub is told that nothing was stored.
        case before(isCertain: Bool)
        case after
        /// The answer is a failure, and a batch takes effect later.
        case late
    }

    /// The kinds of work, of which one at a time may stall.
    enum Work: CaseIterable {
        case append
        case read
        case receipts
        case sanctions
        case rooms
        case heads
        case directNews
    }

    private let store: InMemoryMessageStore
    private let directNews: SimulatedDirectNews
    private let hub: Int
    private let moderation: SimulatedModeration
    private let planted: Planted
    private let report: (Violation) -> Void
    private let noted: (String) -> Void
    private var requests: [(shard: Int, StoreRequest)] = []
    private var answers: [(shard: Int, StoreAnswer, at: MonotonicTime)] = []
    /// Batches that have failed for their hub, and not for the store.
    private var lateBatches: [[AppendRequest]] = []

    var hasLateBatches: Bool { !lateBatches.isEmpty }

    /// - Parameters:
    ///   - report: receives violations.
    ///   - noted: receives the names of the interesting steps.
    init(
        _ store: InMemoryMessageStore, _ directNews: SimulatedDirectNews, hub: Int,
        _ moderation: SimulatedModeration, _ planted: Planted, report: @escaping (Violation) -> Void,
        noted: @escaping (String) -> Void
    ) {
        self.store = store
        self.directNews = directNews
        self.hub = hub
        self.moderation = moderation
        self.planted = planted
        self.report = report
        self.noted = noted
    }

    mutating func ask(_ request: StoreRequest, of shard: Int) {
        if case .append(let batch) = request, batch.count > 1 {
            noted("batch")
            if Set(batch.map(\.draft.room)).count > 1 { noted("batch of rooms") }
        }
        requests.append((shard, request))
    }

    // MARK: Steps

    /// The places of the requests that may take effect next.
    func requestPlaces(except stalled: Work?) -> [Int] {
        requests.indices.filter { requests[$0].1.work != stalled }
    }

    mutating func perform(_ place: Int, _ fault: Fault?, now: MonotonicTime) {
        let (shard, request) = requests.remove(at: place)
        answers.append((shard, answer(request, fault), now))
    }

    /// The places of the answers that may arrive next.
    func answerPlaces(except stalled: Work?, now: MonotonicTime) -> [Int] {
        answers.indices.filter {
            answers[$0].1.work != stalled && !planted.delays(answers[$0].1, since: answers[$0].at, now: now)
        }
    }

    mutating func takeAnswer(_ place: Int) -> (shard: Int, StoreAnswer) {
        let (shard, answer, _) = answers.remove(at: place)
        return (shard, answer)
    }

    mutating func performLateBatch() {
        guard !lateBatches.isEmpty else { return }
        noted("late batch")
        _ = effect(of: .append(lateBatches.removeFirst()))
    }

    /// The hub is killed: some of what it has asked takes effect, and nothing is answered.
    mutating func crash(_ random: inout SeededRandom) {
        for (_, request) in requests where random.once(in: 2) { _ = effect(of: request) }
        requests = []
        answers = []
    }

    // MARK: The store

    private mutating func answer(_ request: StoreRequest, _ fault: Fault?) -> StoreAnswer {
        switch fault {
        case nil: return planted.answered(effect(of: request), to: request)
        case .before(let isCertain):
            let failure = request.failure(StoreError("a fault of the test", mayBeStored: !isCertain))
            return planted.failed(failure, hasEffect: false, store)
        case .after: _ = effect(of: request)
        case .late: if case .append(let batch) = request { lateBatches.append(batch) }
        }
        return planted.failed(request.failure(StoreError("a fault of the test")), hasEffect: true, store)
    }

    /// The whole of a request, in one transaction.
    private func effect(of request: StoreRequest) -> StoreAnswer {
        if case .storeSanctions(let notes) = request {
            for note in notes { moderation.stored(note) }
        }
        if case .readDirectNews(let cursor) = request {
            let news = directNews.read(after: cursor, by: hub)
            if !news.items.isEmpty { noted(SimulationSeen.directNews) }
            return .directNewsRead(.success(news))
        }
        let answer = store.answer(to: request)
        if case .appended(let batch, let outcomes) = answer { directNews.note(batch, outcomes, by: hub) }
        if case .readRooms(let request, _) = request, case .roomsRead(_, .success(let page)) = answer {
            check(page, of: request.user)
        }
        return answer
    }

    private func check(_ page: RoomsPage, of user: UserKey) {
        for entry in page.rooms
        where moderation.isBanned(user.user, from: RoomID(tenant: user.tenant, name: entry.room)) {
            report(Violation(.sanctions, "\(user.user) is shown \(entry.room), and is banned there"))
        }
    }
}

extension StoreRequest {
    fileprivate var work: SimulatedStoreLink.Work {
        switch self {
        case .append: .append
        case .readHistory: .read
        case .storeReceipts: .receipts
        case .storeSanctions: .sanctions
        case .readRooms: .rooms
        case .readHeads: .heads
        case .readDirectNews: .directNews
        }
    }

    /// The answer of a store that has failed: for a batch the same for each draft.
    fileprivate func failure(_ error: StoreError) -> StoreAnswer {
        switch self {
        case .append(let batch): .appended(batch, batch.map { _ in .failed(error) })
        case .readHistory(let request, let pending): .historyRead(pending, .failure(error), request)
        case .storeReceipts: .receiptsStored(.failure(error))
        case .storeSanctions: .sanctionsStored(.failure(error))
        case .readRooms(_, let requester): .roomsRead(requester, .failure(error))
        case .readHeads: .headsRead(.failure(error))
        case .readDirectNews: .directNewsRead(.failure(error))
        }
    }
}

extension StoreAnswer {
    fileprivate var work: SimulatedStoreLink.Work {
        switch self {
        case .appended: .append
        case .historyRead: .read
        case .receiptsStored: .receipts
        case .sanctionsStored: .sanctions
        case .roomsRead: .rooms
        case .headsRead: .heads
        case .directNewsRead: .directNews
        }
    }
}
