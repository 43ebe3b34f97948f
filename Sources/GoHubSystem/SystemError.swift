internal import Glibc

/// A failed system call.
package struct SystemError: Error, Hashable, CustomStringConvertible {
    package let call: String
    /// The call's `errno`.
    package let code: Int32

    /// - Parameter code: `errno` when it isn't given. So it must be the last call that failed.
    package init(_ call: String, code: Int32? = nil) {
        self.call = call
        self.code = code ?? errno
    }

    package var description: String { "\(call): \(systemErrorText(code))" }
}

/// What an `errno` means, in the system's words.
package func systemErrorText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    // Writes at most the buffer's count, with a zero at the end.
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
