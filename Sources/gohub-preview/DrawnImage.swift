internal import CGoHubGD
internal import Glibc
internal import Synchronization

/// A libgd image, freed with its last reference.
///
/// Its pixels have 7 bits of transparency (0 opaque, 127 invisible), red, green and blue, like those of `PixelGrid`.
final class DrawnImage {
    /// Never changed, and freed once, in `deinit`; no pointer into it is kept elsewhere.
    private let image: gdImagePtr

    private init(owning image: gdImagePtr) {
        self.image = image
    }

    deinit {
        gdImageDestroy(image)
    }

    var width: Int { Int(image.pointee.sx) }
    var height: Int { Int(image.pointee.sy) }

    // MARK: From and to files

    /// Whether libjpeg has reported that the data ended before the image was complete. It then continues in grey, and
    /// so does libgd.
    private static let hasEndedEarly = Atomic(false)

    /// Replaces libgd's error handler, which would write its libraries' messages to standard error, where nobody reads
    /// them.
    private static func listenToLibrary() {
        gdSetErrorMethod { _, format, arguments in
            guard let format, let arguments else { return }
            var text = [CChar](repeating: 0, count: 256)
            // Writes no more than there is space for, and a terminating zero.
            vsnprintf(&text, text.count, format, arguments)
            let message = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            // `JWRN_JPEG_EOF` and `JWRN_HIT_MARKER`; images with other warnings are good enough.
            if message.contains("remature end") { DrawnImage.hasEndedEarly.store(true, ordering: .relaxed) }
        }
    }

    /// Decodes a complete image with the decoder of one format.
    ///
    /// - Returns: `nil` for an image that the decoder refuses, for an incomplete one, and when the memory doesn't
    ///   suffice.
    static func decode(_ bytes: [UInt8], format: PreviewFormat) -> DrawnImage? {
        guard let count = Int32(exactly: bytes.count) else { return nil }
        listenToLibrary()
        hasEndedEarly.store(false, ordering: .relaxed)
        let image = bytes.withUnsafeBytes { buffer -> gdImagePtr? in
            // The decoders only read it, although their interface predates `const`; they keep no pointer to it.
            let start = UnsafeMutableRawPointer(mutating: buffer.baseAddress)
            return switch format {
            case .png: gdImageCreateFromPngPtr(count, start)
            // 0: warnings are reported.
            case .jpeg: gdImageCreateFromJpegPtrEx(count, start, 0)
            case .gif: gdImageCreateFromGifPtr(count, start)
            case .webp: gdImageCreateFromWebpPtr(count, start)
            }
        }
        guard let drawn = image.map(DrawnImage.init(owning:)), !hasEndedEarly.load(ordering: .relaxed) else {
            return nil
        }
        return drawn
    }

    /// - Parameter quality: 0 to 100.
    func webp(quality: Int) -> [UInt8]? {
        var count: Int32 = 0
        guard let bytes = gdImageWebpPtrEx(image, &count, Int32(quality)) else { return nil }
        // The library's own memory, of the stated size, freed here and not used afterwards.
        defer { gdFree(bytes) }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(max(0, count))))
    }

    // MARK: Pixels

    /// - Parameters:
    ///   - width: 1 to a few thousand, like the height.
    /// - Returns: a fully transparent image; `nil` when the memory doesn't suffice.
    static func transparent(width: Int, height: Int) -> DrawnImage? {
        guard let image = gdImageCreateTrueColor(Int32(clamping: width), Int32(clamping: height)) else { return nil }
        // Drawing replaces pixels, including their transparency.
        gdImageAlphaBlending(image, 0)
        gdImageFilledRectangle(
            image, 0, 0, Int32(clamping: width) - 1, Int32(clamping: height) - 1, Int32(PixelGrid.transparent))
        return DrawnImage(owning: image)
    }

    /// Draws another image into a part of this one. Each pixel is the average of those that it covers, weighted by
    /// their opacity.
    func draw(_ other: DrawnImage, into part: ImageHeader.Frame) {
        gdImageCopyResampled(
            image, other.image, Int32(clamping: part.left), Int32(clamping: part.top), 0, 0,
            Int32(clamping: part.width), Int32(clamping: part.height), other.image.pointee.sx, other.image.pointee.sy)
    }

    convenience init?(_ grid: PixelGrid) {
        guard let image = gdImageCreateTrueColor(Int32(clamping: grid.width), Int32(clamping: grid.height)) else {
            return nil
        }
        self.init(owning: image)
        gdImageAlphaBlending(image, 0)
        for y in 0..<grid.height {
            for x in 0..<grid.width {
                gdImageSetPixel(image, Int32(x), Int32(y), Int32(bitPattern: grid[x, y]))
            }
        }
    }

    var grid: PixelGrid {
        PixelGrid(width: width, height: height) { x, y in
            UInt32(bitPattern: gdImageGetTrueColorPixel(image, Int32(x), Int32(y)))
        }
    }
}
