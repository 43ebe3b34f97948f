internal import Glibc

/// One address of a host, in the system's form.
struct ServerAddress: Sendable {
    private let storage: sockaddr_storage
    private let length: socklen_t

    /// - Parameter info: an element of a list of `getaddrinfo`; `nil` for a family other than IP.
    init?(_ info: addrinfo) {
        guard info.ai_family == AF_INET || info.ai_family == AF_INET6, let address = info.ai_addr,
            info.ai_addrlen <= socklen_t(MemoryLayout<sockaddr_storage>.size)
        else { return nil }
        var storage = sockaddr_storage()
        // The element's address has this many bytes, and the storage has room for them.
        memcpy(&storage, address, Int(info.ai_addrlen))
        (self.storage, length) = (storage, info.ai_addrlen)
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// Makes a system call with the address in its C form.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        // C's own convention: every socket address begins like `sockaddr`, and the length gives its real size.
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
