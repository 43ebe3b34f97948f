/// What a page needs to leave the right room for an image, and to show something until it is there.
public struct ImageProperties: Hashable, Sendable {
    /// Pixels, as the image is shown.
    public var width: Int
    public var height: Int
    /// A few bytes of text that a client makes a blurred picture of; empty for none.
    public var placeholder: String
    public var hasPreview: Bool

    public init(width: Int, height: Int, placeholder: String = "", hasPreview: Bool = false) {
        self.width = width
        self.height = height
        self.placeholder = placeholder
        self.hasPreview = hasPreview
    }
}
