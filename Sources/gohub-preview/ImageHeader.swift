internal import GoHubPreviewExchange

/// A format as the command line names it.
enum PreviewFormat: String {
    case png
    case jpeg
    case gif
    case webp
}

/// What the first bytes of an image say of it, read before any decoder is asked.
struct ImageHeader: Hashable {
    /// A part of the canvas, in pixels; all of it, unless the image is an animation.
    struct Frame: Hashable {
        var left = 0
        var top = 0
        var width: Int
        var height: Int
    }

    /// The whole image as it is stored, before its orientation is carried out. Both are above 0.
    var width: Int
    var height: Int
    /// Where the picture that is decoded stands in it: the first frame of an animation.
    var frame: Frame
    var orientation = Orientation.upright
    /// What the decoder gets instead of the file: where it couldn't read that, or would do in it what nobody needs.
    var still: [UInt8]?
    /// What decoding costs, told in pixels: those of the frame, as often as the decoder goes over them.
    var work: Int
    /// Times that the file has the decoder go over the image.
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

    /// - Throws: `Malformed` for what is not of that format, ends before it has said its size, or has a frame that is not
    ///   inside of it.
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

    /// Whether decoding costs no more than an image of `pixelsMax` may, whatever the file says.
    func isDecodable(pixelsMax: Int) -> Bool {
        scans <= PreviewBounds.scansMax && work <= Self.product(pixelsMax, PreviewBounds.passesMax)
    }

    /// The greatest number where the product is greater.
    static func product(_ left: Int, _ right: Int) -> Int {
        let (product, isTooLarge) = left.multipliedReportingOverflow(by: right)
        return isTooLarge ? .max : product
    }
}

/// The bytes are not what they are said to be.
struct Malformed: Error {}
