internal import Glibc

/// The options of every accepted socket.
enum SocketOptions {
    /// Milliseconds that sent data may stay unacknowledged before the kernel drops the connection: a peer whose machine
    /// or network vanished is noticed while there is something to send.
    private static let userTimeoutMs: UInt32 = 60_000

    static func apply(to fd: Int32) {
        // A turn's bytes are sent in one call, so waiting to fill a segment would only delay them.
        var one: Int32 = 1
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var timeout = userTimeoutMs
        setsockopt(fd, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout, socklen_t(MemoryLayout<UInt32>.size))
    }

    /// Bytes that the kernel accepts without having sent them; data in flight on the network comes on top.
    private static let unsentBytesMax: UInt32 = 128 * 1024
    /// TCP_NOTSENT_LOWAT of <linux/tcp.h>, which the Glibc module lacks.
    private static let notSentLowat: Int32 = 25

    /// For plain HTTP connections: the kernel would buffer megabytes of responses for a client that doesn't read.
    static func limitUnsent(of fd: Int32) {
        var bytes = unsentBytesMax
        setsockopt(fd, Int32(IPPROTO_TCP), notSentLowat, &bytes, socklen_t(MemoryLayout<UInt32>.size))
    }
}
