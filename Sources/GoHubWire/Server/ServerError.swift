internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// The reason why a server can't start.
public struct ServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error, stable across releases.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The server was started before.
        public static let alreadyStarted = Code(rawValue: "already_started")
        /// Another program listens on the address.
        public static let addressInUse = Code(rawValue: "address_in_use")
        /// The machine does not have the address.
        public static let addressNotAvailable = Code(rawValue: "address_not_available")
        /// The process may not listen on the address.
        public static let permissionDenied = Code(rawValue: "permission_denied")
        /// Another system call failed, mostly because the system lacks resources.
        public static let system = Code(rawValue: "system")
    }

    public let code: Code
    /// One or two sentences that say what to do.
    public let message: String
    /// The error that caused this one, if any. Neither printed nor compared.
    public let underlying: (any Error)?

    init(_ code: Code, _ message: String, underlying: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.underlying = underlying
    }

    public var description: String { message }
}

extension ServerError: CodedError {}

extension ServerError {
    static func cannotListen(_ address: ListenAddress, _ error: SystemError) -> ServerError {
        let (code, reason): (Code, String) =
            switch error.code {
            case EADDRINUSE:
                (.addressInUse, "the port is in use. Stop the program that uses it, or choose another port.")
            case EACCES: (.permissionDenied, "permission denied. Ports below 1024 need CAP_NET_BIND_SERVICE.")
            case EADDRNOTAVAIL: (.addressNotAvailable, "this machine does not have that address.")
            default: (.system, "\(systemErrorText(error.code)).")
            }
        return ServerError(code, "Cannot listen on \(address): \(reason)", underlying: error)
    }

    static func system(_ error: SystemError) -> ServerError {
        ServerError(.system, "Cannot start an event loop: \(error).", underlying: error)
    }
}
