/// The properties with which a page reserves space for an image and shows a placeholder until it is loaded.
public struct ImageProperties: Hashable, Sendable {
    /// Pixels of the displayed image.
    public var width: Int
    public var height: Int
    /// A short text from which a client draws a blurred picture; empty for none.
    public var placeholder: String
    public var hasPreview: Bool

    public init(width: Int, height: Int, placeholder: String = "", hasPreview: Bool = false) {
        self.width = width
        self.height = height
        self.placeholder = placeholder
        self.hasPreview = hasPreview
    }
}
