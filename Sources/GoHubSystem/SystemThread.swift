internal import CGoHubLinux
internal import Glibc

/// A thread for what blocks, or runs for long: an event loop, a store.
///
/// SIGPIPE is blocked in it: EPIPE tells that a peer has gone, and the process' own handling is left alone.
package struct SystemThread: Sendable {
    private let thread: pthread_t

    private final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    /// - Parameter name: shown by the system's tools, at most 15 bytes.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let start = Start {
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            pthread_setname_np(pthread_self(), name)
            body()
        }
        var thread = pthread_t()
        // The box is retained for the new thread, which takes ownership; if there is no thread, it is released here.
        let box = Unmanaged.passRetained(start)
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
        guard result == 0 else {
            box.release()
            throw SystemError("pthread_create", code: result)
        }
        self.thread = thread
    }

    /// Waits until the thread has ended; once, and not from the thread itself.
    package func join() {
        pthread_join(thread, nil)
    }

    /// Instead of `join`, when nobody waits: what the system keeps of the thread goes with its end.
    package func detach() {
        pthread_detach(thread)
    }
}
