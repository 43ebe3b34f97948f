/// What a session asks of the file store for one of its transfers.
public enum TransferRequest: Equatable, Sendable {
    case begin(UploadRequest)
    case write([UInt8], at: UInt64, UploadLease)
    case finish(UploadLease)
    case cancel(FileID, by: UserKey)
}

/// The store's answer.
public enum TransferAnswer: Sendable {
    case begun(Result<UploadState, FileError>)
    case stored(Result<UInt64, FileError>)
    case finished(Result<StoredFile, FileError>)
    case cancelled(Result<Void, FileError>)
}

extension FileStore {
    /// Does what a session asks for. The answer may come before the call has returned.
    package func perform(
        _ request: TransferRequest, answer: @escaping @Sendable (TransferAnswer) -> Void
    ) {
        switch request {
        case .begin(let upload): begin(upload) { answer(.begun($0)) }
        case .write(let bytes, let offset, let lease): write(bytes, at: offset, with: lease) { answer(.stored($0)) }
        case .finish(let lease): finish(lease) { answer(.finished($0)) }
        case .cancel(let id, let owner): cancel(id, by: owner) { answer(.cancelled($0)) }
        }
    }

    /// Gives back what an answer holds that comes for a session which is gone.
    package func discard(_ answer: TransferAnswer) {
        if case .begun(.success(.open(_, let lease))) = answer { release(lease) }
    }
}

extension FileError {
    /// As a client is told.
    public var errorCode: ErrorCode {
        switch code {
        case .notFound: .notFound
        case .forbidden: .forbidden
        case .invalid, .sizeMismatch, .hashMismatch: .badRequest
        case .tooLarge, .userQuota, .tenantQuota: .tooLarge
        case .uploadsQuota, .downloadsQuota: .rateLimited
        case .conflict, .wrongOffset, .superseded: .conflict
        case .diskFull, .busy, .unavailable: .unavailable
        default: .internal
        }
    }

    /// When the same again may succeed.
    public var retryAfter: Milliseconds? {
        switch code {
        case .busy, .unavailable: 1000
        case .uploadsQuota, .downloadsQuota: 10_000
        default: nil
        }
    }
}
