internal import GoHubPreviewExchange

/// A format as named on the command line.
enum PreviewFormat: String {
    case png
    case jpeg
    case gif
    case webp
}

/// The properties of an image from its first bytes, read before any decoder is used.
struct ImageHeader: Hashable {
    /// A part of the canvas, in pixels; all of it, unless the image is an animation.
    struct Frame: Hashable {
        var left = 0
        var top = 0
        var width: Int
        var height: Int
    }

    /// The whole image as stored, before its orientation is applied. Both are above 0.
    var width: Int
    var height: Int
    /// The position of the decoded picture in it: the first frame of an animation.
    var frame: Frame
    var orientation = Orientation.upright
    /// The decoder's input instead of the file: if it can't read that, or would do unnecessary work in it.
    var still: [UInt8]?
    /// The cost of decoding in pixels: those of the frame, times the number of passes.
    var work: Int
    /// The number of passes over the image that the file requires.
    var scans = 1

    init(width: Int, height: Int, frame: Frame? = nil, orientation: Orientation = .upright, still: [UInt8]? = nil) {
        self.width = width
        self.height = height
        let frame = frame ?? Frame(width: width, height: height)
        self.frame = frame
        self.orientation = orientation
        self.still = still
        work = Self.product(frame.width, frame.height)
    }

    /// - Throws: `Malformed` for bytes that are not of that format, end before the size, or have a frame outside the
    ///   image.
    init(_ bytes: [UInt8], format: PreviewFormat) throws(Malformed) {
        switch format {
        case .png: self = try Self.png(bytes)
        case .jpeg: self = try Self.jpeg(bytes)
        case .gif: self = try Self.gif(bytes)
        case .webp: self = try Self.webp(bytes)
        }
        guard frame.width > 0, frame.height > 0, frame.left + frame.width <= width, frame.top + frame.height <= height
        else { throw Malformed() }
    }

    func isWithin(pixelsMax: Int) -> Bool {
        let (pixels, isTooLarge) = width.multipliedReportingOverflow(by: height)
        return !isTooLarge && pixels <= pixelsMax
    }

    /// Whether decoding costs no more than an image of `pixelsMax` may, whatever the file contains.
    func isDecodable(pixelsMax: Int) -> Bool {
        scans <= PreviewBounds.scansMax && work <= Self.product(pixelsMax, PreviewBounds.passesMax)
    }

    /// The product, saturated at the largest number.
    static func product(_ left: Int, _ right: Int) -> Int {
        let (product, isTooLarge) = left.multipliedReportingOverflow(by: right)
        return isTooLarge ? .max : product
    }
}

/// The bytes are malformed.
struct Malformed: Error {}
