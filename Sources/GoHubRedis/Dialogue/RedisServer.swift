internal import GoHubCore

/// What a server says of itself.
package struct RedisServer: Hashable, Sendable {
    package enum Role: Hashable, Sendable {
        case primary
        /// A copy: what is published there reaches only its own subscribers.
        case replica
        case sentinel
        /// The server has no command ROLE.
        case unknown
    }

    package var role: Role
    /// The process of the server: 40 random digits, made at its start. Nodes with different ones don't hear each other.
    /// `nil` for a server that doesn't tell.
    package var runID: String?
    /// `nil` for a server that doesn't tell.
    package var version: String?

    package init(role: Role, runID: String? = nil, version: String? = nil) {
        self.role = role
        self.runID = runID
        self.version = version
    }
}

extension RedisServer.Role {
    /// - Parameter reply: of ROLE: an array that begins with `master`, `slave` or `sentinel`; `nil` for another one.
    init?(_ reply: RESPValue) {
        switch reply.elements?.first?.text {
        case "master": self = .primary
        case "slave": self = .replica
        case "sentinel": self = .sentinel
        default: return nil
        }
    }

    /// The reason why the bus can't use the server; `nil` for a primary.
    ///
    /// - Parameter acceptsUnknown: whether a server without ROLE counts as a primary.
    func error(acceptsUnknown: Bool) -> RedisError? {
        switch self {
        case .primary: nil
        case .replica:
            RedisError(
                .notPrimary, "Redis: the server is a replica. Set cluster.redis to the primary, or to Sentinels.")
        case .sentinel:
            RedisError(
                .notPrimary,
                "Redis: the server is a Sentinel. Sentinels need redis+sentinel:// and the name of the primary.")
        case .unknown:
            acceptsUnknown
                ? nil
                : RedisError(
                    .refused,
                    "Redis: the server doesn't know the command ROLE, so it can't be told whether it is the primary. "
                        + "Set cluster.redis to its address instead of Sentinels.")
        }
    }
}

/// The fields of INFO's reply: lines `name:value`.
struct RedisInfo {
    let runID: String?
    let version: String?

    /// - Parameter text: sections begin with `#`. Unknown fields are ignored, and values that are too long to show.
    init(_ text: String) {
        var fields: [Substring: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[1].utf8.count <= 64, parts[1].utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else { continue }
            fields[parts[0]] = String(parts[1])
        }
        runID = fields["run_id"]
        version = fields["valkey_version"] ?? fields["redis_version"]
    }
}
