internal import Glibc

/// A failed system call.
package struct SystemError: Error, Hashable, CustomStringConvertible {
    package let call: String
    /// The call's `errno`.
    package let code: Int32

    /// - Parameter code: defaults to `errno`, so the failed call must be the last one.
    package init(_ call: String, code: Int32? = nil) {
        self.call = call
        self.code = code ?? errno
    }

    package var description: String { "\(call): \(systemErrorText(code))" }
}

/// The system's text for an `errno`.
package func systemErrorText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 128)
    // Writes at most the buffer's count, including a zero at the end.
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
