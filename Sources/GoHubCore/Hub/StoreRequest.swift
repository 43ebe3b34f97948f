/// A shard's request to its message store: the actions of `HubState` for it. A message goes alone to a store that never
/// waits, and in a batch to any other (`Shard.nextBatch`).
///
/// Reads are indirect, here and in the answer: each batch of messages is copied several times, at the size of the
/// largest case.
package enum StoreRequest: Sendable {
    case append([AppendRequest])
    indirect case readHistory(HistoryRequest, PendingRead)
    indirect case readRooms(RoomsRequest, Requester)
    case storeReceipts([ReceiptNote])
    case storeSanctions([SanctionNote])
    case readHeads([RoomHead])
    indirect case readDirectNews(after: DirectNews.Cursor)
}

/// The store's answer, for `Shard.answered`.
package enum StoreAnswer: Sendable {
    case appended([AppendRequest], [AppendOutcome])
    indirect case historyRead(PendingRead, Result<HistoryPage, StoreError>, HistoryRequest)
    indirect case roomsRead(Requester, Result<RoomsPage, StoreError>)
    case receiptsStored(Result<Void, StoreError>)
    case sanctionsStored(Result<[SanctionNote.Outcome], StoreError>)
    case headsRead(Result<[RoomHead], StoreError>)
    indirect case directNewsRead(Result<DirectNews, StoreError>)
}

extension MessageStore {
    /// - Parameter completion: called once, on any thread of the store's choice.
    package func ask(_ request: StoreRequest, completion: @escaping @Sendable (StoreAnswer) -> Void) {
        switch request {
        case .append(let batch): append(batch.map(\.draft)) { completion(.appended(batch, $0)) }
        case .readHistory(let request, let pending):
            readHistory(request) { completion(.historyRead(pending, $0, request)) }
        case .readRooms(let request, let requester): readRooms(request) { completion(.roomsRead(requester, $0)) }
        case .storeReceipts(let receipts): saveReceipts(receipts) { completion(.receiptsStored($0)) }
        case .storeSanctions(let sanctions): saveSanctions(sanctions) { completion(.sanctionsStored($0)) }
        case .readHeads(let known): readHeads(known) { completion(.headsRead($0)) }
        case .readDirectNews(let cursor): readDirectNews(after: cursor) { completion(.directNewsRead($0)) }
        }
    }
}

extension ImmediateMessageStore {
    package func answer(to request: StoreRequest) -> StoreAnswer {
        switch request {
        case .append(let batch): .appended(batch, batch.map { append($0.draft) })
        case .readHistory(let request, let pending): .historyRead(pending, .success(readHistory(request)), request)
        case .readRooms(let request, let requester): .roomsRead(requester, .success(readRooms(request)))
        case .storeReceipts(let receipts): .receiptsStored(.success(saveReceipts(receipts)))
        case .storeSanctions(let sanctions): .sanctionsStored(.success(saveSanctions(sanctions)))
        case .readHeads(let known): .headsRead(.success(readHeads(known)))
        // Only one hub uses such a store.
        case .readDirectNews(let cursor): .directNewsRead(.success(DirectNews(cursor: cursor)))
        }
    }
}
