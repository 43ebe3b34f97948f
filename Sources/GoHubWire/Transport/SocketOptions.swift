internal import Glibc

/// What every accepted socket is set to.
enum SocketOptions {
    /// Milliseconds that sent data may stay unacknowledged before the kernel gives the connection up: a peer whose
    /// machine or network vanished is noticed while there is something to send.
    private static let userTimeoutMs: UInt32 = 60_000

    static func apply(to fd: Int32) {
        // A turn's bytes go out in one call, so waiting to fill a segment would only delay them.
        var one: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var timeout = userTimeoutMs
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout, socklen_t(MemoryLayout<UInt32>.size))
    }
}
