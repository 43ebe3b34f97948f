/// Why previews can't be made at all: one sentence that says what to do.
public struct PreviewError: Error, Hashable, CustomStringConvertible {
    /// The sentence.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
