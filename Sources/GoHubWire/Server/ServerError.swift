internal import Glibc
internal import GoHubSystem

/// The reason why a server can't start. A sentence that says what to do.
public struct ServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One or two sentences for the operator.
    public let description: String

    init(_ description: String) {
        self.description = description
    }

    static func cannotListen(_ address: ListenAddress, _ code: Int32) -> ServerError {
        switch code {
        case EADDRINUSE:
            ServerError(
                "Cannot listen on \(address): the port is in use. Stop the program that uses it, or choose another "
                    + "port."
            )
        case EACCES:
            ServerError("Cannot listen on \(address): permission denied. Ports below 1024 need CAP_NET_BIND_SERVICE.")
        case EADDRNOTAVAIL:
            ServerError("Cannot listen on \(address): this machine does not have that address.")
        default: ServerError("Cannot listen on \(address): \(systemErrorText(code)).")
        }
    }

    static func system(_ error: SystemError) -> ServerError {
        ServerError("Cannot start an event loop: \(error).")
    }
}
