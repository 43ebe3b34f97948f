internal import Glibc
internal import GoHubSystem

/// Why a server can't start, in a sentence that says what to do.
public struct ServerError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }

    static func cannotListen(_ address: ListenAddress, _ code: Int32) -> ServerError {
        switch code {
        case EADDRINUSE:
            ServerError("cannot listen on \(address): the port is taken; stop what uses it, or choose another port")
        case EACCES:
            ServerError("cannot listen on \(address): no permission; ports below 1024 need CAP_NET_BIND_SERVICE")
        case EADDRNOTAVAIL:
            ServerError("cannot listen on \(address): this machine has no such address")
        default: ServerError("cannot listen on \(address): \(systemErrorText(code))")
        }
    }

    static func system(_ error: SystemError) -> ServerError {
        ServerError("cannot start an event loop: \(error)")
    }
}
