/// A command, as far as the error in its reply depends on it.
enum RedisRequest: Hashable, Sendable {
    case authenticate(RedisCredentials)
    case setName
    case role
    case info
    case ping
    case publish
    case subscribe
    case unsubscribe
    case primaryAddress

    /// For errors. Without arguments: one may be a password.
    var name: String {
        switch self {
        case .authenticate: "AUTH"
        case .setName: "CLIENT SETNAME"
        case .role: "ROLE"
        case .info: "INFO"
        case .ping: "PING"
        case .publish: "PUBLISH"
        case .subscribe: "SUBSCRIBE"
        case .unsubscribe: "UNSUBSCRIBE"
        case .primaryAddress: "SENTINEL get-master-addr-by-name"
        }
    }

    /// The command's name in the rules of an ACL.
    var rule: String {
        switch self {
        case .authenticate: "+auth"
        case .setName: "+client|setname"
        case .role: "+role"
        case .info: "+info"
        case .ping: "+ping"
        case .publish: "+publish"
        case .subscribe: "+subscribe"
        case .unsubscribe: "+unsubscribe"
        case .primaryAddress: "+sentinel|get-master-addr-by-name"
        }
    }
}
