internal import Glibc
internal import GoHubCore
internal import GoHubPreviewExchange
internal import GoHubStore
internal import GoHubSystem

/// A helper's input file: our own descriptor, while the image waits and is processed.
enum PreviewInput {
    /// Duplicates a descriptor.
    ///
    /// - Returns: a descriptor above the standard ones, as `HelperProcess` requires, which is closed on exec.
    static func open(_ descriptor: Int32) throws(ImagePreviewFailure) -> OwnedDescriptor {
        let flags = fcntl(descriptor, F_GETFL)
        // A compromised helper could write to a descriptor that is open for writing.
        guard flags >= 0, flags & O_ACCMODE == O_RDONLY else { throw .unreadable }
        // Descriptors may be available again later.
        return try OwnedDescriptor(orThrow: { _ in ImagePreviewFailure.busy }) {
            fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
        }
    }

    /// The reason why a file isn't even passed to a helper. Call it where waiting for a disk is allowed.
    static func objection(to input: Int32) -> ImagePreviewFailure? {
        // A pipe, a socket and a directory can't be read at an offset.
        guard hasByte(input, at: 0) else { return .unreadable }
        return hasByte(input, at: PreviewBounds.fileBytesMax) ? .tooManyBytes : nil
    }

    private static func hasByte(_ input: Int32, at offset: Int) -> Bool {
        var byte: UInt8 = 0
        return pread(input, &byte, 1, off_t(offset)) == 1
    }
}
