internal import Glibc
internal import GoHubCore
internal import GoHubPreviewExchange
internal import GoHubSystem

/// The file that a helper is to look at, as a descriptor of our own for as long as it waits and is worked on.
enum PreviewInput {
    /// Duplicates a descriptor.
    ///
    /// - Returns: a descriptor above the standard ones, as `HelperProcess` wants it, which is closed on exec.
    static func open(_ descriptor: Int32) throws(ImagePreviewFailure) -> OwnedDescriptor {
        let flags = fcntl(descriptor, F_GETFL)
        // A helper that was taken over could write to what was given for writing.
        guard flags >= 0, flags & O_ACCMODE == O_RDONLY else { throw .unreadable }
        // When the system has no more of them, it may later.
        return try OwnedDescriptor(orThrow: { _ in ImagePreviewFailure.busy }) {
            fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
        }
    }

    /// Why a file isn't even shown to a helper. To be asked where one may wait for a disk.
    static func objection(to input: Int32) -> ImagePreviewFailure? {
        // A pipe, a socket and a directory can't be read at a place.
        guard hasByte(input, at: 0) else { return .unreadable }
        return hasByte(input, at: PreviewBounds.fileBytesMax) ? .tooManyBytes : nil
    }

    private static func hasByte(_ input: Int32, at offset: Int) -> Bool {
        var byte: UInt8 = 0
        return pread(input, &byte, 1, off_t(offset)) == 1
    }
}
