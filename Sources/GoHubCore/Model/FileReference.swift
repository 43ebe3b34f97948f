/// A file that a message is to hold, as its sender names it.
public struct FileReference: Hashable, Sendable {
    public let id: FileID
    public let alt: AltText?

    public init(_ id: FileID, alt: AltText? = nil) {
        self.id = id
        self.alt = alt
    }
}
