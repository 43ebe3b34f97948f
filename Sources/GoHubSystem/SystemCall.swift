internal import Glibc

/// Repeats a system call while signals interrupt it.
///
/// Inlinable, because the hot path of another module calls it for each send.
///
/// - Returns: the call's result, which is -1 with `errno` set on failure.
@inlinable
package func retryingInterrupts<Result: FixedWidthInteger & SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        guard result == -1, wasInterrupted else { return result }
    }
}

/// Whether a signal interrupted the last failed system call. Inlinable code can't read `errno` itself.
@usableFromInline
package var wasInterrupted: Bool { errno == EINTR }
