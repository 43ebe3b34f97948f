public import GoHubCore

/// Makes previews of images that nobody has reason to trust.
public protocol ImagePreviewing: Sendable {
    /// Makes the preview of one image, outside of this process; waits without holding a thread of the caller's.
    ///
    /// - Parameters:
    ///   - descriptor: a regular file, open for reading alone, from its beginning to its end; stays the caller's, who
    ///     may close it when the answer is there. Its offset is neither used nor moved.
    ///   - format: what the file's first bytes say. Only that format's decoder is asked.
    ///   - user: who has sent it. Users get their turns one after the other, however many images each has.
    func preview(
        of descriptor: Int32, format: ImageFormat, for user: UserKey
    ) async -> Result<ImagePreview, ImagePreviewFailure>
}
