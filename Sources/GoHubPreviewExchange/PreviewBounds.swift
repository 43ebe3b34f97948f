/// What holds for every preview, on both sides.
public enum PreviewBounds {
    /// The preview's longer edge, in pixels: twice what a chat shows, for dense screens.
    public static let edgeMax = 480
    /// The preview's file.
    public static let imageBytesMax = 64 * 1024
    /// The placeholder's characters, all ASCII; it stands in every message that has the image.
    public static let placeholderBytesMax = 100
    /// The image's file, which the helper holds in memory while it decodes. No photo is as large.
    public static let fileBytesMax = 64 * 1024 * 1024
    /// The memory that one pixel can cost while an image is decoded: the decoder's own copy and libgd's, 4 bytes each.
    public static let bytesPerPixel = 8
    /// Times that a decoder may go over the pixels of the largest image, and over those of a smaller one as often in
    /// proportion. A progressive JPEG has some ten scans; one with a million takes a decoder minutes.
    public static let passesMax = 16
    /// Scans of a JPEG, however few its pixels: each costs tables of its own.
    public static let scansMax = 100
    /// What a clear code in a GIF costs, in pixels: a table of 4096 entries is emptied.
    public static let pixelsPerClearCode = 64
    /// The memory for everything else: tables of the decoder, the preview itself.
    public static let spareBytes = 32 * 1024 * 1024

    /// The memory that an image of so many pixels needs, its file included.
    public static func leastMemoryBytes(pixelsMax: Int) -> Int {
        // More pixels than memory has addresses for need all of it.
        let pixelsMax = min(pixelsMax, (Int.max - fileBytesMax - spareBytes) / bytesPerPixel)
        return pixelsMax * bytesPerPixel + fileBytesMax + spareBytes
    }
}
