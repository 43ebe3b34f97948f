internal import CGoHubLinux
internal import Glibc
internal import Synchronization

/// A descriptor that becomes readable, for all who wait for it, when something is to stop.
final class StopSignal: Sendable {
    /// To be waited for; never read from.
    let descriptor: Int32
    /// Its other end; closed by `send`, and then `nil`.
    private let source: Mutex<Int32?>

    /// - Throws: `StartError` when the system has no more descriptors.
    init() throws(StartError) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else {
            throw StartError("the system has no more descriptors (error \(errno)): raise its limit, such as ulimit -n")
        }
        descriptor = ends[0]
        source = Mutex(ends[1])
    }

    deinit {
        send()
        close(descriptor)
    }

    func send() {
        source.withLock { source in
            if let descriptor = source { close(descriptor) }
            source = nil
        }
    }
}
