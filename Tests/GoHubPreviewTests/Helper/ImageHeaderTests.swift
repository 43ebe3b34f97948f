import GoHubPreviewExchange
import GoHubTestSupport
import Testing

@testable import gohub_preview

@Suite struct ImageHeaderTests {
    private static let formats = ["png", "jpeg", "gif", "webp"]

    private func header(_ bytes: [UInt8], _ format: String) throws -> ImageHeader {
        try ImageHeader(bytes, format: #require(PreviewFormat(rawValue: format)))
    }

    @Test(arguments: formats) func theSizeIsRead(format: String) throws {
        let header = try header(try Drawing.quarters(width: 40, height: 24).file(format), format)
        #expect([header.width, header.height] == [40, 24])
        #expect(header.frame == ImageHeader.Frame(width: 40, height: 24))
        #expect(header.orientation == .upright && header.scans == 1)
    }

    @Test func aLosslessWebPHasASizeToo() throws {
        // libgd writes lossless WebP at quality 101.
        let header = try header(try Drawing.quarters(width: 40, height: 24).webp(quality: 101), "webp")
        #expect(header == ImageHeader(width: 40, height: 24))
    }

    @Test(arguments: Orientation.allCases) func theOrientationIsReadWhereverExifStands(orientation: Orientation) throws
    {
        let drawing = try Drawing.quarters(width: 40, height: 24)
        for isLittleEndian in [true, false] {
            let exif = Files.exif(orientation: orientation.rawValue, isLittleEndian: isLittleEndian)
            #expect(try header(Files.jpeg(try drawing.jpeg(), exif: exif), "jpeg").orientation == orientation)
            #expect(try header(Files.png(try drawing.png(), exif: exif), "png").orientation == orientation)
            let webp = Files.webp(try drawing.webp(), width: 40, height: 24, exif: exif)
            #expect(try header(webp, "webp").orientation == orientation)
        }
    }

    @Test func brokenExifIsUpright() throws {
        let file = try Drawing.quarters(width: 40, height: 24).jpeg()
        let exif = Files.exif(orientation: 6)
        for end in 0..<20 {
            #expect(try header(Files.jpeg(file, exif: Array(exif[..<end])), "jpeg").orientation == .upright)
        }
        for wrong in [0, 9, 65_535] {
            #expect(try header(Files.jpeg(file, exif: Files.exif(orientation: wrong)), "jpeg").orientation == .upright)
        }
    }

    @Test func firstFrameHasItsPosition() throws {
        let frame = try Drawing.quarters(width: 20, height: 10).webp()
        let file = Files.animation(
            width: 40, height: 24, frames: [(frame, 6, 8, 20, 10), (frame, 0, 0, 20, 10)])
        let header = try header(file, "webp")
        #expect([header.width, header.height] == [40, 24])
        #expect(header.frame == ImageHeader.Frame(left: 6, top: 8, width: 20, height: 10))
        let still = try #require(header.still)
        #expect(still.count < file.count)
    }

    @Test func aFrameOutsideOfTheImageIsRefused() throws {
        let frame = try Drawing.quarters(width: 20, height: 10).webp()
        let file = Files.animation(width: 24, height: 24, frames: [(frame, 6, 8, 20, 10)])
        #expect(throws: Malformed.self) { try header(file, "webp") }
        let gif = try Drawing.quarters(width: 20, height: 10).gif()
        #expect(throws: Malformed.self) { try header(Files.gif(gif, screen: (20, 9), frame: (20, 10)), "gif") }
    }

    @Test func pixelsAreCountedWithoutOverflow() {
        #expect(ImageHeader(width: 3, height: 2).isWithin(pixelsMax: 6))
        #expect(!ImageHeader(width: 3, height: 2).isWithin(pixelsMax: 5))
        #expect(!ImageHeader(width: .max, height: .max).isWithin(pixelsMax: .max))
    }

    // MARK: Work

    /// Bytes inside segments are no scan, even if they look like one.
    @Test func theScansOfAJPEGAreCounted() throws {
        let drawing = try Drawing.quarters(width: 40, height: 24)
        #expect(try header(try drawing.jpeg(), "jpeg").scans == 1)
        let file = try drawing.progressiveJPEG()
        // libjpeg's own script (jcparam.c, jpeg_simple_progression).
        let whole = try header(file, "jpeg")
        #expect(whole.scans == 10 && whole.work == 10 * 40 * 24)
        let more = try header(Files.jpeg(file, lastScanTimes: 31), "jpeg")
        #expect(more.scans == 40 && more.work == 40 * 40 * 24)
        let looksLikeMore = Array(repeating: [0xFF, 0xDA] as [UInt8], count: 500).flatMap { $0 }
        #expect(try header(Files.jpeg(file, commentBeforeTheLastScan: looksLikeMore), "jpeg").scans == 10)
        #expect(throws: Malformed.self) { try header(Array(file.dropLast(2)), "jpeg") }
    }

    @Test func scanAndWorkLimitsApply() {
        var header = ImageHeader(width: 100, height: 100)
        header.scans = PreviewBounds.scansMax
        #expect(header.isDecodable(pixelsMax: 10_000))
        header.scans += 1
        #expect(!header.isDecodable(pixelsMax: 10_000))
        header.scans = 1
        header.work = 10_000 * PreviewBounds.passesMax
        #expect(header.isDecodable(pixelsMax: 10_000))
        header.work += 1
        #expect(!header.isDecodable(pixelsMax: 10_000))
        header.work = .max
        #expect(!header.isDecodable(pixelsMax: 40_000_000))
    }

    @Test func theClearCodesOfAGIFAreCounted() throws {
        func clears(_ file: [UInt8], pixels: Int) throws -> Int {
            (try header(file, "gif").work - pixels) / PreviewBounds.pixelsPerClearCode
        }
        let pixels = 64 * 48
        #expect(
            try clears(Files.gif(width: 64, height: 48, codes: Array(repeating: 0, count: pixels)), pixels: pixels) == 1
        )
        let each = (0..<pixels).flatMap { _ in [Files.gifClear, 1] }
        #expect(try clears(Files.gif(width: 64, height: 48, codes: each), pixels: pixels) == pixels)
        // The decoder counts the end code after a clear code as a pixel, and several clear codes as one.
        let odd = [Files.gifClear, Files.gifClear, Files.gifEnd] + each
        #expect(try clears(Files.gif(width: 64, height: 48, codes: odd), pixels: pixels) == pixels + 1)
        #expect(try clears(Files.gif(width: 64, height: 48, codes: [0, Files.gifEnd] + each), pixels: pixels) == 1)
        // Noise fills the table of 4096 entries every 3837 codes. A reader out of step would find other codes.
        var random = SeededRandom(seed: 5)
        let noise = try Drawing(width: 300, height: 300) { _, _ in Int32.random(in: 0...0xFFFFFF, using: &random) }
        #expect((20...30).contains(try clears(try noise.gif(), pixels: 90_000)))
    }

    @Test func pngDecoderGetsOnlyDrawnChunks() throws {
        let drawing = try Drawing.quarters(width: 16, height: 12)
        let file = Files.png(try drawing.png(), exif: Files.exif(orientation: 6))
        #expect(Files.chunkNames(ofPNG: file).contains("tEXt") && Files.chunkNames(ofPNG: file).contains("eXIf"))
        let header = try header(file, "png")
        #expect(header.orientation == .clockwise)
        let still = try #require(header.still)
        #expect(Set(Files.chunkNames(ofPNG: still)) == ["IHDR", "IDAT", "IEND"])
        #expect(try self.header(still, "png").still == nil)
    }

    /// A header is parsed from any bytes that are claimed to be an image: it throws or is right, and never traps.
    @Test(arguments: formats) func noBytesTrap(format: String) throws {
        let drawing = try Drawing.quarters(width: 16, height: 12)
        let exif = Files.exif(orientation: 6)
        let file =
            switch format {
            case "jpeg": Files.jpeg(try drawing.jpeg(), exif: exif)
            case "png": Files.png(try drawing.png(), exif: exif)
            case "webp":
                Files.animation(width: 16, height: 12, frames: [(try drawing.webp(), 0, 0, 16, 12)])
            default: try drawing.gif()
            }
        let whole = try header(file, format)
        for end in 0..<file.count {
            guard let header = try? header(Array(file[..<end]), format) else { continue }
            #expect([header.width, header.height] == [whole.width, whole.height])
        }
        var random = SeededRandom(seed: 7)
        for _ in 0..<2000 {
            var changed = file
            for _ in 0..<3 {
                changed[Int.random(in: 0..<min(200, file.count), using: &random)] = .random(in: 0...255, using: &random)
            }
            if let header = try? header(changed, format) { #expect(header.width > 0 && header.height > 0) }
        }
    }
}
