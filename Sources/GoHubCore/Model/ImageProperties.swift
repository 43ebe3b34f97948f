/// The properties with which a page reserves space for an image and shows a placeholder until it is loaded.
public struct ImageProperties: Hashable, Sendable {
    /// The width of the displayed image in pixels.
    public var width: Int
    /// The height of the displayed image in pixels.
    public var height: Int
    /// A short text from which a client draws a blurred picture; empty for none.
    public var placeholder: String
    /// Whether `FileStore.preview` has a preview of the image.
    public var hasPreview: Bool

    public init(width: Int, height: Int, placeholder: String = "", hasPreview: Bool = false) {
        self.width = width
        self.height = height
        self.placeholder = placeholder
        self.hasPreview = hasPreview
    }
}
