/// A file to attach to a message, as named by its sender.
public struct FileReference: Hashable, Sendable {
    public let id: FileID
    /// The sender's description of the file; `nil` for none.
    public let alt: AltText?

    public init(_ id: FileID, alt: AltText? = nil) {
        self.id = id
        self.alt = alt
    }
}
