/// A session's request to the file store for one of its transfers.
package enum TransferRequest: Equatable, Sendable {
    case begin(Upload.Request)
    case write([UInt8], at: UInt64, Upload.Lease)
    case finish(Upload.Lease)
    case cancel(FileID, by: UserKey)
}

/// The store's answer.
package enum TransferAnswer: Sendable {
    case begun(Result<Upload.State, FileError>)
    case stored(Result<UInt64, FileError>)
    case finished(Result<StoredFile, FileError>)
    case cancelled(Result<Void, FileError>)
}

extension FileStore {
    /// Performs a session's request. The answer may come before the call returns.
    func perform(_ request: TransferRequest, answer: @escaping @Sendable (TransferAnswer) -> Void) {
        switch request {
        case .begin(let upload): begin(upload) { answer(.begun($0)) }
        case .write(let bytes, let offset, let lease): write(bytes, at: offset, with: lease) { answer(.stored($0)) }
        case .finish(let lease): finish(lease) { answer(.finished($0)) }
        case .cancel(let id, let owner): cancel(id, by: owner) { answer(.cancelled($0)) }
        }
    }
}

extension FileError {
    /// The error code for a client.
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

    /// The time after which a repetition may succeed.
    public var retryAfter: Milliseconds? {
        switch code {
        case .busy, .unavailable: 1000
        case .uploadsQuota, .downloadsQuota: 10_000
        default: nil
        }
    }
}
