internal import GoHubCore
internal import HTTPTypes

extension APIError {
    /// A refusal of the file store, with the closest status.
    init(_ error: FileError) {
        let status: HTTPResponse.Status =
            switch error.code {
            case .notFound: .notFound
            case .forbidden: .forbidden
            case .invalid, .sizeMismatch: .badRequest
            case .tooLarge: .contentTooLarge
            case .uploadsQuota, .downloadsQuota: .tooManyRequests
            case .conflict, .wrongOffset, .superseded: .conflict
            case .hashMismatch: .unprocessableContent
            // RFC 4918, section 11.5: the file would be accepted if there were space for it.
            case .userQuota, .tenantQuota, .diskFull:
                HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
            case .busy, .unavailable: .serviceUnavailable
            default: .internalServerError
            }
        self.init(status: status, code: error.errorCode, message: error.message)
        switch error.code {
        case .busy, .unavailable: headers[.retryAfter] = "1"
        // Operations in progress take a while.
        case .uploadsQuota, .downloadsQuota: headers[.retryAfter] = "10"
        default: break
        }
        if let offset = error.expectedOffset { headers[.uploadOffset] = "\(offset)" }
    }
}
