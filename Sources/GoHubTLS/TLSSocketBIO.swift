internal import CGoHubOpenSSL
internal import Glibc

/// OpenSSL's access to the sockets of all TLS connections of one thread.
///
/// One BIO serves them all: the current socket is set before each call. So a connection has no BIO of its own, which
/// would be additional memory outside the cache when writing to a thousand clients. Unlike OpenSSL's socket BIO, this
/// one raises no SIGPIPE.
package final class TLSSocketBIO {
    /// `nil` if OpenSSL had no memory for it. Every `SSL` that uses it holds its own reference.
    let bio: OpaquePointer?

    package init() {
        bio = Self.method.flatMap { BIO_new($0) }
        // OpenSSL requires this of a BIO that is ready.
        if let bio { BIO_set_init(bio, 1) }
    }

    deinit {
        BIO_free(bio)
    }

    /// Sets the socket of the next call.
    func use(_ descriptor: Int32) {
        // The BIO's data is a pointer that belongs to its method: here the number itself, plus 1, because zero is none.
        // Nothing is ever read through it.
        BIO_set_data(bio, UnsafeMutableRawPointer(bitPattern: Int(descriptor) + 1))
    }

    private static func descriptor(of bio: OpaquePointer?) -> Int32 {
        Int32(truncatingIfNeeded: Int(bitPattern: BIO_get_data(bio)) - 1)
    }

    /// Created once per process and never freed. `nil` if OpenSSL had no memory for it.
    ///
    /// Unchecked is right: nothing changes it after it is made.
    private nonisolated(unsafe) static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket") else { return nil }
        guard
            // Each returns 1 with the count, or 0 with `errno` as the call left it. OpenSSL derives from the flags
            // whether to repeat the call, and the engine derives the reason from `errno`.
            BIO_meth_set_write_ex(
                method,
                { bio, bytes, count, written in
                    BIO_clear_flags(bio, TLSSocketBIO.retryFlags)
                    let result = send(TLSSocketBIO.descriptor(of: bio), bytes, count, Int32(MSG_NOSIGNAL))
                    guard result < 0 else {
                        written?.pointee = result
                        return 1
                    }
                    if errno == EAGAIN || errno == EINTR {
                        BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY)
                    }
                    return 0
                }) == 1,
            BIO_meth_set_read_ex(
                method,
                { bio, bytes, count, readCount in
                    BIO_clear_flags(bio, TLSSocketBIO.retryFlags)
                    let result = recv(TLSSocketBIO.descriptor(of: bio), bytes, count, 0)
                    guard result <= 0 else {
                        readCount?.pointee = result
                        return 1
                    }
                    if result < 0, errno == EAGAIN || errno == EINTR {
                        BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)
                    }
                    return 0
                }) == 1,
            // The only supported request: everything written is out at once.
            BIO_meth_set_ctrl(method, { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }) == 1
        else {
            BIO_meth_free(method)
            return nil
        }
        return method
    }()

    private static let retryFlags = BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY
}
