public import GoHubCore

/// Makes previews of untrusted images.
public protocol ImagePreviewing: Sendable {
    /// Makes the preview of one image outside this process. Suspends without blocking a thread of the caller.
    ///
    /// - Parameters:
    ///   - descriptor: a regular file, open for reading only, read from beginning to end. The caller keeps it and may
    ///     close it after the answer. Its offset is neither used nor moved.
    ///   - format: the format detected from the file's first bytes. Only that format's decoder is used.
    ///   - user: the sender. Users take turns, however many images each has.
    func preview(
        of descriptor: Int32, format: ImageFormat, for user: UserKey
    ) async -> Result<ImagePreview, ImagePreviewFailure>
}
