/// The response with which the wire layer itself rejects a request, and its reason.
///
/// Created by the head parser, by the handshake, and by the connection (no capacity, no permission). `UpgradeResponse`
/// writes it.
struct UpgradeRejection: Error, Equatable, Sendable {
    enum Status: Int, Sendable {
        case badRequest = 400
        case unauthorized = 401
        case forbidden = 403
        case notFound = 404
        case methodNotAllowed = 405
        case requestTimeout = 408
        case contentTooLarge = 413
        case uriTooLong = 414
        case expectationFailed = 417
        case upgradeRequired = 426
        case tooManyRequests = 429
        case fieldsTooLarge = 431
        case notImplemented = 501
        case unavailable = 503
        case versionNotSupported = 505

        /// The reason phrase of the status line (RFC 9110, section 15).
        var phrase: String {
            switch self {
            case .badRequest: "Bad Request"
            case .unauthorized: "Unauthorized"
            case .forbidden: "Forbidden"
            case .notFound: "Not Found"
            case .methodNotAllowed: "Method Not Allowed"
            case .requestTimeout: "Request Timeout"
            case .contentTooLarge: "Content Too Large"
            case .uriTooLong: "URI Too Long"
            case .expectationFailed: "Expectation Failed"
            case .upgradeRequired: "Upgrade Required"
            case .tooManyRequests: "Too Many Requests"
            case .fieldsTooLarge: "Request Header Fields Too Large"
            case .notImplemented: "Not Implemented"
            case .unavailable: "Service Unavailable"
            case .versionNotSupported: "HTTP Version Not Supported"
            }
        }
    }

    let status: Status
    /// One line for the person at the other end. Contains nothing that the client sent.
    let reason: String
    /// Further fields of the response.
    var fields: [RequestHead.Field] = []
    /// The content is omitted, although the fields describe it.
    private(set) var omitsContent = false

    /// The rejection for a request with this method: HEAD gets no content (RFC 9110, section 9.3.2).
    func answering(_ method: String) -> UpgradeRejection {
        var answer = self
        answer.omitsContent = method == "HEAD"
        return answer
    }

    static func badRequest(_ reason: String) -> UpgradeRejection {
        UpgradeRejection(status: .badRequest, reason: reason)
    }

    /// - Parameter tokenWasGiven: a token was sent and refused, as opposed to none at all (RFC 6750, section 3.1).
    static func unauthorized(_ reason: String, tokenWasGiven: Bool) -> UpgradeRejection {
        let challenge = tokenWasGiven ? "Bearer error=\"invalid_token\"" : "Bearer"
        return UpgradeRejection(
            status: .unauthorized, reason: reason, fields: [.init(name: "WWW-Authenticate", value: challenge)])
    }

    static func forbidden(_ reason: String) -> UpgradeRejection {
        UpgradeRejection(status: .forbidden, reason: reason)
    }

    static let notFound = UpgradeRejection(status: .notFound, reason: "There is nothing at this path.")

    static func methodNotAllowed(allow: String) -> UpgradeRejection {
        UpgradeRejection(
            status: .methodNotAllowed, reason: "This path accepts only \(allow).",
            fields: [.init(name: "Allow", value: allow)])
    }

    static let requestTimeout = UpgradeRejection(
        status: .requestTimeout, reason: "The request head took too long to arrive.")

    static let contentTooLarge = UpgradeRejection(status: .contentTooLarge, reason: "The request's body is too large.")

    static let expectationFailed = UpgradeRejection(
        status: .expectationFailed, reason: "Expect is not supported for a WebSocket handshake, which has no body.")

    /// A WebSocket version other than 13, or none (RFC 6455, section 4.4; RFC 9110, section 15.5.22).
    static let upgradeRequired = UpgradeRejection(
        status: .upgradeRequired, reason: "This path requires WebSocket version 13 (RFC 6455).",
        fields: [.init(name: "Upgrade", value: "websocket"), .init(name: "Sec-WebSocket-Version", value: "13")])

    static func tooManyRequests(retryAfterSeconds: Int) -> UpgradeRejection {
        UpgradeRejection(
            status: .tooManyRequests, reason: "Too many requests from this address.",
            fields: legible(retryAfterSeconds))
    }

    static func unavailable(_ reason: String, retryAfterSeconds: Int) -> UpgradeRejection {
        UpgradeRejection(
            status: .unavailable, reason: reason, fields: legible(retryAfterSeconds))
    }

    /// Fields of temporary refusals. A page that asks over HTTP why its handshake failed may read them, whatever its
    /// origin, which is not known yet when a full server refuses a connection. They contain only our own sentence.
    private static func legible(_ retryAfterSeconds: Int) -> [RequestHead.Field] {
        [
            .init(name: "Retry-After", value: String(max(retryAfterSeconds, 0))),
            .init(name: "Access-Control-Allow-Origin", value: "*"),
            .init(name: "Access-Control-Expose-Headers", value: "Retry-After"),
        ]
    }

    /// The first byte was that of a TLS record: the client expects TLS on this port.
    static let tlsOnPlainPort = UpgradeRejection(
        status: .badRequest,
        reason: "This port serves plain HTTP, but the client sent a TLS handshake. Use http:// or ws://.")

    /// The client opened with the HTTP/2 preface (RFC 9113, section 3.4).
    static let http2PriorKnowledge = UpgradeRejection(
        status: .versionNotSupported, reason: "HTTP/2 is not supported. Use HTTP/1.1.")
}
