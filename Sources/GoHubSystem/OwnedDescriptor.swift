internal import Glibc

/// A descriptor with one owner, closed when the owner's life ends.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// Valid while this value lives; a copy of the number must not be used longer.
    package let rawValue: Int32

    /// - Parameter rawValue: an open descriptor that nothing else closes.
    package init(owning rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Creates a descriptor by a system call, which is repeated when a signal interrupts it.
    ///
    /// - Parameters:
    ///   - name: the name of the call, for the error.
    ///   - call: returns -1 and sets `errno` on failure.
    package init(_ name: String, _ call: () -> Int32) throws(SystemError) {
        try self.init(orThrow: { SystemError(name, code: $0) }, call)
    }

    /// Creates a descriptor by a system call, which is repeated when a signal interrupts it.
    ///
    /// - Parameters:
    ///   - failure: makes the error from the call's `errno`.
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

    /// Gives up ownership without closing: the caller must close the descriptor.
    package consuming func release() -> Int32 {
        let rawValue = rawValue
        discard self
        return rawValue
    }
}
