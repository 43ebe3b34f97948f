internal import Glibc

/// A descriptor with one owner, closed at the end of the owner's life.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// Valid for as long as this value lives: whoever keeps the number must not outlive it.
    package let rawValue: Int32

    /// - Parameter rawValue: an open descriptor that nobody else closes.
    package init(owning rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Makes a descriptor by a system call, which is repeated when a signal interrupts it.
    ///
    /// - Parameters:
    ///   - name: the call's, for the error.
    ///   - call: returns -1 and sets `errno` on failure.
    package init(_ name: String, _ call: () -> Int32) throws(SystemError) {
        try self.init(orThrow: { SystemError(name, code: $0) }, call)
    }

    /// Makes a descriptor by a system call, which is repeated when a signal interrupts it.
    ///
    /// - Parameters:
    ///   - failure: makes the error, of the call's `errno`.
    ///   - call: returns -1 and sets `errno` on failure.
    package init<Failure: Error>(
        orThrow failure: (_ code: Int32) -> Failure, _ call: () -> Int32
    ) throws(Failure) {
        let result = retryingInterrupts(call)
        guard result >= 0 else { throw failure(errno) }
        self.init(owning: result)
    }

    deinit {
        close(rawValue)
    }

    /// Ends the ownership without closing: the caller closes it from now on.
    package consuming func release() -> Int32 {
        let rawValue = rawValue
        discard self
        return rawValue
    }
}
