internal import CGoHubLinux
internal import Glibc
internal import GoHubCore

/// A thread for a store's blocking work.
enum StoreThread {
    private final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    /// - Parameter name: shown by the system's tools, at most 15 bytes.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) throws(StoreError) {
        let start = Start {
            // A server that is gone is told by EPIPE; the process' own handling is left alone.
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            pthread_setname_np(pthread_self(), name)
            body()
        }
        var thread = pthread_t()
        // The box is retained for the new thread, which takes it over; if there is none, it is released here.
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
            throw StoreError("the system has no thread for the store (error \(result))")
        }
        pthread_detach(thread)
    }
}

/// Carries what belongs to one thread to that thread.
///
/// Unchecked, because the one who made it doesn't touch the value any more, and `take` gives it once.
final class Handover<Value>: @unchecked Sendable {
    private var value: Value?

    init(_ value: Value) {
        self.value = value
    }

    func take() -> Value? {
        defer { value = nil }
        return value
    }
}
