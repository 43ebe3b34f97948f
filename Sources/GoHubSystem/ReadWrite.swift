internal import Glibc

/// Reads at an offset of a file until the buffer is full or the file ends. The descriptor's own offset does not change.
///
/// - Returns: the number of bytes read. If the buffer isn't full, the second value is 0 at the end of the file and an
///   `errno` otherwise.
package func readEverything(
    _ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: UInt64 = 0
) -> (count: Int, error: Int32) {
    var filled = 0
    while filled < buffer.count {
        // In bounds: `filled` is below the buffer's count, and the length is the rest.
        let count = retryingInterrupts {
            pread(
                descriptor, buffer.baseAddress?.advanced(by: filled), buffer.count - filled,
                off_t(clamping: offset &+ UInt64(filled)))
        }
        guard count > 0 else { return (filled, count < 0 ? errno : 0) }
        filled += count
    }
    return (filled, 0)
}

/// Writes all bytes to a descriptor. Waits while a non-blocking descriptor accepts nothing.
///
/// - Returns: false when the descriptor accepts no more; `errno` has the reason.
@discardableResult
package func writeEverything(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Bool {
    // A view of the bytes if they are contiguous, as those of all callers are.
    bytes.withContiguousStorageIfAvailable { writeEverything(UnsafeRawBufferPointer($0), to: descriptor) }
        ?? Array(bytes).withUnsafeBytes { writeEverything($0, to: descriptor) }
}

private func writeEverything(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var written = 0
    while written < bytes.count {
        // In bounds: `written` is below the buffer's count, and the length is the rest.
        let count = retryingInterrupts {
            write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
        }
        if count > 0 {
            written += count
        } else if count < 0, errno == EAGAIN {
            // Another process that shares the terminal or the pipe has made it non-blocking.
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&waiting, 1, -1)
        } else {
            return false
        }
    }
    return true
}
