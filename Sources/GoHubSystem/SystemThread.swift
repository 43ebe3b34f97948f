internal import CGoHubLinux
internal import Glibc

/// A thread for blocking or long-running work, such as an event loop or a store.
///
/// It blocks SIGPIPE: EPIPE reports a closed peer, and the process' own signal handling stays unchanged.
package struct SystemThread: Sendable {
    private let thread: pthread_t

    private final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    /// - Parameter name: shown by the system's tools; at most 15 bytes.
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
        // The box is retained for the new thread, which takes ownership; without a thread it is released here.
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

    /// Whether the caller runs on this thread.
    package var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

    /// Waits until the thread has ended. Call it once, from another thread.
    package func join() {
        pthread_join(thread, nil)
    }

    /// Replaces `join` when no thread waits: the system frees the thread's resources when it ends.
    package func detach() {
        pthread_detach(thread)
    }
}
