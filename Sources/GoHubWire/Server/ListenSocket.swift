internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// An open listening socket. Created before the loops start, so that a port in use is an error to the caller of the
/// start and not a line in a log.
struct ListenSocket: Sendable {
    let descriptor: Int32
    let address: SocketAddress

    static let backlog: Int32 = 4096

    init(_ listen: ListenAddress) throws(ServerError) {
        let family = listen.address.ip.count == 4 ? AF_INET : AF_INET6
        let made = try OwnedDescriptor(orThrow: { ServerError.cannotListen(listen, SystemError("socket", code: $0)) }) {
            socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        }
        let fd = made.rawValue
        var one: Int32 = 1
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        let result = listen.address.withSockaddr { bind(fd, $0, $1) }
        guard result == 0 else { throw .cannotListen(listen, SystemError("bind")) }
        guard Glibc.listen(fd, Self.backlog) == 0 else { throw .cannotListen(listen, SystemError("listen")) }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // As in `SocketAddress.rebound`, in reverse: the system fills in at most `length` bytes.
        let named = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        descriptor = made.release()
        address = (named == 0 ? SocketAddress(storage) : nil) ?? listen.address
    }

    /// The result of one attempt to accept.
    enum Accepted {
        case socket(Int32, SocketAddress)
        /// The backlog is empty.
        case none
        /// The waiting client has already left.
        case again
        /// No descriptor or memory is left, or the socket itself fails: pause.
        case exhausted(Int32)
    }

    func accept() -> Accepted {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // The storage fits any address, and the system fills in at most `length` bytes of it.
        let fd = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                accept4(descriptor, $0, &length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
            }
        }
        guard fd >= 0 else {
            switch errno {
            case EAGAIN: return .none
            // The waiting client has left, a firewall forbids it, or it is an error of the peer's network, which accept
            // passes on (accept(2), "Error handling").
            case EINTR, ECONNABORTED, EPERM, EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH,
                ENONET, EOPNOTSUPP, ETIMEDOUT:
                return .again
            // EMFILE, ENFILE, ENOBUFS and ENOMEM, and any other error, since it would wake the loop again at once.
            default: return .exhausted(errno)
            }
        }
        let accepted = OwnedDescriptor(owning: fd)
        guard let address = SocketAddress(storage) else { return .again }
        return .socket(accepted.release(), address)
    }
}
