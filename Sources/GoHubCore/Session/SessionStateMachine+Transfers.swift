/// Uploads over the session: binary messages under credit.
extension SessionStateMachine {
    mutating func upload(
        _ upload: Command.Upload, by identity: Identity, now: MonotonicTime, into actions: inout [SessionAction]
    ) {
        func refuse(_ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil) {
            actions.append(.send(.error(id: upload.id, code: code, message: message, retryAfter: retryAfter)))
        }
        let credentials = identity.credentials
        guard context.files != nil else {
            return refuse(.notFound, "File uploads are disabled on this server.")
        }
        let permissions = credentials.grants.permissions(of: credentials.user, in: upload.room)
        guard permissions.contains([.read, .write]) else { return refuse(.forbidden, Self.closedRoom) }
        guard let room = writableRoom(upload.room, credentials) else {
            return refuse(.conflict, "Join the room first.")
        }
        guard !transfers.contains(where: { $0.id == upload.id && $0.room == upload.room }) else {
            return refuse(.conflict, "This upload is already in progress.")
        }
        guard transfers.count < context.limits.transfersPerSessionMax else {
            let message =
                "A session can have at most \(context.limits.transfersPerSessionMax) uploads at the same time."
            return refuse(.tooLarge, message)
        }
        guard context.transferSlots.take(credentials.userKey) else {
            return refuse(.unavailable, "The hub has too many uploads. Try again shortly.", retryAfter: 5_000)
        }
        lastTransfer &+= 1
        transfers.append(Transfer(lastTransfer, upload, now: now))
        let request = Upload.Request(
            room: room, owner: credentials.user, id: upload.id, name: upload.name, declaredType: upload.type,
            size: upload.size, hash: upload.hash)
        actions.append(.ask(.transfer(lastTransfer, .begin(request))))
    }

    mutating func cancelUpload(
        _ id: CommandID, _ transfer: UInt32, _ credentials: Credentials, into actions: inout [SessionAction]
    ) {
        guard let index = transfers.firstIndex(where: { $0.number == transfer }), let lease = transfers[index].lease,
            !transfers[index].isCancelling
        else {
            return actions.append(.send(.error(id: id, code: .notFound, message: "There is no such transfer.")))
        }
        transfers[index].phase = .cancelling(id, lease)
        actions.append(.ask(.transfer(transfer, .cancel(lease.id, by: credentials.userKey))))
    }

    // MARK: Binary messages

    /// Handles a binary message from the client: a part of an upload. Bytes covered by the credit are not charged like
    /// commands.
    package mutating func received(
        binary message: UnsafeRawBufferPointer, now: MonotonicTime, into actions: inout [SessionAction]
    ) {
        guard !isClosed else { return }
        guard context.files != nil, case .active(let identity, _) = phase else {
            return close(.unsupportedData, into: &actions)
        }
        noteActivity(now: now)
        guard let chunk = TransferChunk(message) else {
            return rejectBinary(
                "A binary message must be a 12-byte header followed by a part of a file.", now: now, into: &actions)
        }
        guard let index = transfers.firstIndex(where: { $0.number == chunk.transfer }) else {
            guard chunk.transfer > 0, chunk.transfer <= lastTransfer else {
                return rejectBinary("There is no transfer \(chunk.transfer).", now: now, into: &actions)
            }
            // It was in flight when the transfer ended.
            return closeFlood(admission.chunk(now: now), into: &actions)
        }
        // Tiny parts cost as much as large ones, but credit counts bytes.
        if chunk.payload.count < Self.chunkBytesMin, !transfers[index].ends(with: chunk) {
            closeFlood(admission.chunk(now: now), into: &actions)
            guard !isClosed else { return }
        }
        guard !transfers[index].isCancelling else { return }
        guard transfers[index].take(chunk, now: now) else {
            end(
                index, of: identity, .badRequest, "This part is out of order or exceeds the credit.",
                into: &actions)
            if !admission.toleratesMalformed(now: now) { close(.tooManyViolations, into: &actions) }
            return
        }
        store(index, into: &actions)
    }

    private static let chunkBytesMin = 1024

    private mutating func rejectBinary(
        _ message: String, now: MonotonicTime, into actions: inout [SessionAction]
    ) {
        guard admission.toleratesMalformed(now: now) else { return close(.tooManyViolations, into: &actions) }
        actions.append(.send(.error(id: nil, code: .badRequest, message: message)))
    }

    private mutating func store(_ index: Int, into actions: inout [SessionAction]) {
        let offset = transfers[index].stored
        guard case .receiving(let lease) = transfers[index].phase, let piece = transfers[index].nextPiece() else {
            return
        }
        actions.append(.ask(.transfer(transfers[index].number, .write(piece, at: offset, lease))))
    }

    // MARK: The store's answers

    /// Handles the file store's answer for one of the session's transfers.
    mutating func transferred(
        _ transfer: UInt32, _ answer: TransferAnswer, now: MonotonicTime, into actions: inout [SessionAction]
    ) {
        guard case .active(let identity, _) = phase,
            let index = transfers.firstIndex(where: { $0.number == transfer })
        else {
            // The transfer has ended since.
            if case .begun(.success(.open(_, let lease))) = answer { actions.append(.release(lease)) }
            return
        }
        switch answer {
        case .begun(.success(.finished(let file))):
            let id = remove(index, of: identity).id
            actions.append(.send(.uploaded(id: id, AttachedFile(file))))
        case .begun(.success(.open(let upload, let lease))):
            transfers[index].phase = .receiving(lease)
            move(index, of: identity, to: upload.offset, now: now, into: &actions) {
                .uploadReady(id: $0.id, $0.progress)
            }
        case .stored(.success(let offset)):
            guard !transfers[index].isCancelling else { return }
            move(index, of: identity, to: offset, now: now, into: &actions) { .uploadProgress($0.progress) }
        case .finished(.success(let file)):
            let transfer = remove(index, of: identity)
            actions.append(.send(.uploaded(id: transfer.id, AttachedFile(file))))
            guard case .cancelling(let id, _) = transfer.phase else { return }
            actions.append(.send(.error(id: id, code: .notFound, message: "The upload was already complete.")))
        case .cancelled(.success):
            guard case .cancelling(let id, _) = remove(index, of: identity).phase else { return }
            actions.append(.send(.uploadCancelled(id: id)))
        case .cancelled(.failure(let error)):
            guard case .cancelling(let id, _) = transfers[index].phase else { return }
            // Parts that arrived since were dropped: the client must ask for the offset.
            end(index, of: identity, error.errorCode, error.message, retryAfter: error.retryAfter, into: &actions)
            actions.append(.send(.error(id: id, code: error.errorCode, message: error.message)))
        case .begun(.failure(let error)), .stored(.failure(let error)), .finished(.failure(let error)):
            guard !transfers[index].isCancelling else { return }
            end(index, of: identity, error.errorCode, error.message, retryAfter: error.retryAfter, into: &actions)
        }
    }

    /// Handles stored bytes: grants more credit and writes the next piece, or finishes the upload.
    private mutating func move(
        _ index: Int, of identity: Identity, to offset: UInt64, now: MonotonicTime,
        into actions: inout [SessionAction],
        _ event: (Transfer) -> Event
    ) {
        transfers[index].advance(to: offset, window: UInt64(context.limits.transferWindowBytes), now: now)
        guard transfers[index].isStored else {
            actions.append(.send(event(transfers[index])))
            return store(index, into: &actions)
        }
        guard let lease = transfers[index].lease else { return }
        // A room to which access was revoked accepts nothing more.
        guard writableRoom(transfers[index].room, identity.credentials) != nil else {
            return end(index, of: identity, .forbidden, Self.closedRoom, into: &actions)
        }
        transfers[index].phase = .finishing(lease)
        actions.append(.ask(.transfer(transfers[index].number, .finish(lease))))
    }

    // MARK: The end

    private mutating func end(
        _ index: Int, of identity: Identity, _ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil,
        into actions: inout [SessionAction]
    ) {
        let transfer = remove(index, of: identity)
        if let lease = transfer.lease { actions.append(.release(lease)) }
        actions.append(.send(.error(id: transfer.id, code: code, message: message, retryAfter: retryAfter)))
    }

    @discardableResult
    mutating func remove(_ index: Int, of identity: Identity) -> Transfer {
        context.transferSlots.giveBack(identity.credentials.userKey)
        return transfers.remove(at: index)
    }

    /// Ends all transfers with the session. Stored bytes stay, so that the uploads can be resumed.
    mutating func endTransfers(of identity: Identity, into actions: inout [SessionAction]) {
        while let last = transfers.indices.last {
            if let lease = remove(last, of: identity).lease { actions.append(.release(lease)) }
        }
    }
}
