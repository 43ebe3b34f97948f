/// The reason why no previews can be made: one sentence that says what to do.
public struct PreviewError: Error, Hashable, CustomStringConvertible {
    /// The sentence.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
