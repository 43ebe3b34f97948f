import Glibc

/// Waits for a body that blocks, which runs on a thread of its own: those of the tests are few.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        runThread { continuation.resume(with: Result { try body() }) }
    }
}

/// Runs a body that blocks on a thread of its own.
func runThread(_ body: @escaping @Sendable () -> Void) {
    final class Start {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }
    var thread = pthread_t()
    // Retained for the new thread, which takes it over.
    let box = Unmanaged.passRetained(Start(body))
    let result = pthread_create(
        &thread, nil,
        { argument in
            if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        }, box.toOpaque())
    if result == 0 { pthread_detach(thread) } else { box.release() }
}
