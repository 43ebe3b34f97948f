/// The reason why a connection was closed, as its peer sees it (RFC 6455, section 7.4).
///
/// The only table of close codes. 4000–4499 ask the client to reconnect, and 4500–4999 ask it not to, so a client needs
/// only the range. The text is for people who read logs.
public struct CloseCode: RawRepresentable, Hashable, Sendable {
    /// The code in the close frame (RFC 6455, section 7.4).
    public let rawValue: UInt16

    /// - Parameter rawValue: not checked; see `isValidOnTheWire`.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// Both sides have finished.
    public static let normal = CloseCode(rawValue: 1000)
    /// The endpoint is going away.
    public static let goingAway = CloseCode(rawValue: 1001)
    /// A frame violated RFC 6455.
    public static let protocolError = CloseCode(rawValue: 1002)
    /// A message of an unsupported type.
    public static let unsupportedData = CloseCode(rawValue: 1003)
    /// Never on the wire: the peer's close frame had no code (RFC 6455, section 7.4.1).
    public static let noStatus = CloseCode(rawValue: 1005)
    /// Never on the wire: the connection was lost without a close frame (RFC 6455, section 7.4.1).
    public static let abnormal = CloseCode(rawValue: 1006)
    /// A text message that isn't UTF-8.
    public static let invalidPayload = CloseCode(rawValue: 1007)
    /// A message over the limit.
    public static let messageTooBig = CloseCode(rawValue: 1009)
    /// An internal failure of the hub.
    public static let internalError = CloseCode(rawValue: 1011)
    /// The hub restarts; sent at the end of a drain.
    public static let serviceRestart = CloseCode(rawValue: 1012)
    /// The hub can't accept the session now.
    public static let tryAgainLater = CloseCode(rawValue: 1013)

    /// Nothing arrived during the heartbeat interval and its grace.
    public static let heartbeatTimeout = CloseCode(rawValue: 4000)
    /// The client's queue overflowed.
    public static let slowConsumer = CloseCode(rawValue: 4001)
    /// The hub can't keep this client consistent; it must resync.
    public static let resyncNeeded = CloseCode(rawValue: 4002)
    /// The token expired on the live connection.
    public static let tokenExpired = CloseCode(rawValue: 4003)
    /// The client kept sending above its rate.
    public static let flooding = CloseCode(rawValue: 4004)
    /// Another node serves this user.
    public static let moved = CloseCode(rawValue: 4005)

    /// A newer session of the same tenant, user and device took over.
    public static let replaced = CloseCode(rawValue: 4500)
    /// The token is missing or invalid.
    public static let invalidToken = CloseCode(rawValue: 4501)
    /// More malformed commands than `Limits.malformedPerMinuteMax`.
    public static let tooManyViolations = CloseCode(rawValue: 4502)
    /// The session as a whole is forbidden.
    public static let forbidden = CloseCode(rawValue: 4503)
    /// The server API or the embedding server removed the user (`HubControl.disconnect`). A kick or a ban ends only
    /// membership.
    public static let removed = CloseCode(rawValue: 4504)
    /// Too many connections for this user.
    public static let connectionLimit = CloseCode(rawValue: 4505)

    /// The text sent with the code in the close frame; at most 123 bytes (RFC 6455, section 5.5.1).
    public var reason: String {
        switch self {
        case .normal: "done"
        case .goingAway: "going away"
        case .protocolError: "protocol error"
        case .unsupportedData: "unsupported message type"
        case .invalidPayload: "text is not UTF-8"
        case .messageTooBig: "message too big"
        case .internalError: "internal error"
        case .serviceRestart: "service restart"
        case .tryAgainLater: "try again later"
        case .heartbeatTimeout: "heartbeat timeout"
        case .slowConsumer: "slow consumer"
        case .resyncNeeded: "resync needed"
        case .tokenExpired: "token expired"
        case .flooding: "flooding"
        case .moved: "moved to another node"
        case .replaced: "replaced by a newer session of this device"
        case .invalidToken: "invalid token"
        case .tooManyViolations: "too many malformed commands"
        case .forbidden: "forbidden"
        case .removed: "removed by a moderator"
        case .connectionLimit: "too many connections for this user"
        default: ""
        }
    }

    /// Whether a client closed with this code should reconnect by itself.
    public var shouldReconnect: Bool {
        switch rawValue {
        case 1001, 1005, 1006, 1011...1014, 4000...4499: true
        default: false
        }
    }

    /// Whether the code is allowed in a close frame (RFC 6455, section 7.4.1 and 7.4.2).
    public var isValidOnTheWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

extension CloseCode: CustomStringConvertible {
    public var description: String { "\(rawValue) \(reason)" }
}
