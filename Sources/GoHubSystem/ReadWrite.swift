internal import Glibc

/// Reads from a place of a file until the buffer is full or the file ends. The descriptor's own offset stays.
///
/// - Returns: how many bytes were read. When that is less than the buffer has, the second value is 0 at the end of the
///   file and an `errno` otherwise.
package func readEverything(
    _ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32, at offset: UInt64 = 0
) -> (count: Int, error: Int32) {
    var filled = 0
    while filled < buffer.count {
        // Inside the buffer: `filled` is below its count, and the length is what is left from there.
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

/// Writes to a descriptor until nothing is left. Waits where the descriptor is non-blocking and takes nothing for now.
///
/// - Returns: false when the descriptor takes no more; `errno` says why.
@discardableResult
package func writeEverything(_ bytes: some Collection<UInt8>, to descriptor: Int32) -> Bool {
    // A view of the bytes where they are contiguous, which all callers' are.
    bytes.withContiguousStorageIfAvailable { writeEverything(UnsafeRawBufferPointer($0), to: descriptor) }
        ?? Array(bytes).withUnsafeBytes { writeEverything($0, to: descriptor) }
}

private func writeEverything(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var written = 0
    while written < bytes.count {
        // Inside the buffer: `written` is below its count, and the length is the rest.
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
