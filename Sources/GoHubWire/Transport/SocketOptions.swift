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

    /// Bytes that the kernel takes and hasn't sent yet; what it has sent, as much as the network carries, comes on top.
    private static let unsentBytesMax: UInt32 = 128 * 1024
    /// TCP_NOTSENT_LOWAT of <linux/tcp.h>, which the Glibc module doesn't have.
    private static let notSentLowat: Int32 = 25

    /// For connections of plain HTTP: the kernel would take megabytes of responses for a client that reads none.
    static func limitUnsent(of fd: Int32) {
        var bytes = unsentBytesMax
        setsockopt(fd, Int32(IPPROTO_TCP), notSentLowat, &bytes, socklen_t(MemoryLayout<UInt32>.size))
    }
}
