internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS

/// The reason why a connection to Redis or a Sentinel ended, for the log and the operator.
package struct RedisError: Error, Hashable, Sendable, CodedError {
    /// The kind of the failure, stable across releases.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        // The connection.

        /// The server can't be reached.
        package static let unreachable = Code(rawValue: "unreachable")
        /// The server didn't answer in time.
        package static let timeout = Code(rawValue: "timeout")
        /// The server has closed the connection.
        package static let closed = Code(rawValue: "closed")
        /// Files of TLS can't be used, or the server's certificate, or it doesn't accept the hub's.
        package static let tls = Code(rawValue: "tls")
        /// The peer doesn't speak Redis' protocol, or its reply doesn't fit the command.
        package static let protocolViolation = Code(rawValue: "protocol_violation")

        // Rights.

        /// User or password are wrong, or one is missing.
        package static let authentication = Code(rawValue: "authentication")
        /// The user may not run a command, or not use a channel.
        package static let permission = Code(rawValue: "permission")

        // The server's state.

        /// The server is a replica, or a Sentinel.
        package static let notPrimary = Code(rawValue: "not_primary")
        /// The server reads its data, and will be ready later.
        package static let loading = Code(rawValue: "loading")
        /// A script or a module keeps the server from answering.
        package static let busy = Code(rawValue: "busy")
        /// The server's memory, or its number of clients, is exhausted.
        package static let full = Code(rawValue: "full")
        /// Another server of a Redis Cluster is responsible, or the cluster is down.
        package static let cluster = Code(rawValue: "cluster")
        /// The server doesn't know a command, or refuses it for another reason.
        package static let refused = Code(rawValue: "refused")

        // This side.

        /// More channels, or longer messages, than the limits allow.
        package static let limit = Code(rawValue: "limit")
    }

    package let code: Code
    /// One or two sentences that say what to do. Never contains a password.
    package let message: String
    package let underlying: (any Error)?

    package init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.underlying = underlying
    }

    package var description: String { message }

    static func malformed(_ error: RESPError) -> RedisError {
        RedisError(
            .protocolViolation,
            "Redis: the server's bytes can't be read: \(error). Check that the address and port are those of Redis, and "
                + "that both sides use TLS or none.", underlying: error)
    }

    /// A reply that doesn't fit its command.
    static func unexpected(_ request: RedisRequest) -> RedisError {
        RedisError(
            .protocolViolation,
            "Redis: the server's reply doesn't fit the command \(request.name). Check that the server is Redis 6.2 or "
                + "later, or speaks its protocol.")
    }

    static func late(_ request: RedisRequest) -> RedisError {
        RedisError(.timeout, "Redis: the server did not answer \(request.name) in time.")
    }

    /// The connection's end before the server has answered anything.
    static let endedEarly = RedisError(
        .closed,
        "Redis: the server has closed the connection before it answered. Check the address, the port, and whether the "
            + "server wants TLS (rediss://).")

    /// The connection's end, without a reason of the system.
    package static let ended = RedisError(
        .closed,
        "Redis: the server has closed the connection. If it says so again and again, look in its log for a full output "
            + "buffer (client-output-buffer-limit pubsub) or too many clients.")

    /// The connection's end for a reason of the system.
    static func broken(_ error: SystemError) -> RedisError {
        RedisError(
            .closed,
            "Redis: the connection has failed: \(systemErrorText(error.code)). Check the network between the hub and "
                + "Redis.", underlying: error)
    }

    static func tls(_ error: TLSError) -> RedisError {
        RedisError(.tls, "Redis: \(error.message)", underlying: error)
    }

    static let tooManyRequests = RedisError(
        .limit,
        "Redis: the hub publishes more than its bus thread can send. Add nodes, or processors, so that each has less to "
            + "tell.")

    static let slowNode = RedisError(
        .limit,
        "Redis: more messages of other nodes arrive than a loop of the hub can handle. Add nodes, or processors, so that "
            + "each has fewer rooms.")
}
