/// The bounds of every preview, on both sides.
public enum PreviewBounds {
    /// The preview's longer edge in pixels: twice the displayed size, for dense screens.
    public static let edgeMax = 480
    /// Bytes of the preview's file.
    public static let imageBytesMax = 64 * 1024
    /// Bytes of the placeholder, all ASCII; every message with the image contains it.
    public static let placeholderBytesMax = 100
    /// Bytes of the image's file, which the helper holds in memory while it decodes. No photo is as large.
    public static let fileBytesMax = 64 * 1024 * 1024
    /// The memory per pixel while an image is decoded: the decoder's own copy and libgd's, 4 bytes each.
    public static let bytesPerPixel = 8
    /// The maximum number of passes of a decoder over the pixels of the largest image, and proportionally more for
    /// smaller ones. A progressive JPEG has about ten scans; one with a million takes a decoder minutes.
    public static let passesMax = 16
    /// The maximum number of scans of a JPEG, however few its pixels: each needs its own tables.
    public static let scansMax = 100
    /// The cost of a clear code in a GIF, in pixels: a table of 4096 entries is emptied.
    public static let pixelsPerClearCode = 64
    /// The memory for everything else: the decoder's tables, the preview itself.
    public static let spareBytes = 32 * 1024 * 1024

    /// The memory that an image with this number of pixels needs, including its file.
    public static func leastMemoryBytes(pixelsMax: Int) -> Int {
        // More pixels than memory has addresses for need all of it.
        let pixelsMax = min(pixelsMax, (Int.max - fileBytesMax - spareBytes) / bytesPerPixel)
        return pixelsMax * bytesPerPixel + fileBytesMax + spareBytes
    }
}
