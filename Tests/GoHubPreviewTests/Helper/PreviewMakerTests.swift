import CGoHubGD
import GoHubPreviewExchange
import Testing

@testable import gohub_preview

/// The handling of an image, without the process around it. Serialized, as in the helper: libgd reports errors for the
/// whole process.
@Suite(.serialized) struct PreviewMakerTests {
    private struct Made {
        var width: Int
        var height: Int
        var placeholder: String
        var webp: [UInt8]
    }

    private func answer(
        _ bytes: [UInt8], _ format: String, pixelsMax: Int = 1_000_000
    ) throws -> PreviewAnswer {
        try PreviewMaker(format: #require(PreviewFormat(rawValue: format)), pixelsMax: pixelsMax).answer(bytes)
    }

    private func made(_ bytes: [UInt8], _ format: String) throws -> Made {
        guard case .preview(let width, let height, let placeholder, let webp) = try answer(bytes, format) else {
            throw Drawing.Failure()
        }
        return Made(width: width, height: height, placeholder: placeholder, webp: webp)
    }

    private static let quarters: [Color] = [.red, .green, .blue, .yellow]

    // MARK: Orientation

    /// The quarters are stored as red, green, blue, yellow (0 to 3). Returns which one is seen in each place.
    private static let seen: [Orientation: [Int]] = [
        .upright: [0, 1, 2, 3], .mirrored: [1, 0, 3, 2], .upsideDown: [3, 2, 1, 0], .flipped: [2, 3, 0, 1],
        .transposed: [0, 2, 1, 3], .clockwise: [2, 0, 3, 1], .transversed: [3, 1, 2, 0],
        .counterclockwise: [1, 3, 0, 2],
    ]

    @Test(arguments: Orientation.allCases, ["jpeg", "png", "webp"])
    func everyOrientationIsCarriedOut(orientation: Orientation, format: String) throws {
        let drawing = try Drawing.quarters(width: 64, height: 32)
        let exif = Files.exif(orientation: orientation.rawValue)
        let file =
            switch format {
            case "jpeg": Files.jpeg(try drawing.jpeg(), exif: exif)
            case "png": Files.png(try drawing.png(), exif: exif)
            default: Files.webp(try drawing.webp(), width: 64, height: 32, exif: exif)
            }
        let made = try made(file, format)
        let size = orientation.rawValue < 5 ? [64, 32] : [32, 64]
        #expect([made.width, made.height] == size)
        let preview = try Drawing(webp: made.webp)
        #expect([preview.width, preview.height] == size)
        for (color, quarter) in zip(preview.quarters, try #require(Self.seen[orientation])) {
            #expect(color.isNear(Self.quarters[quarter]), "\(color) isn't \(Self.quarters[quarter])")
        }
    }

    // MARK: Size

    @Test(arguments: [(960, 480, 480, 240), (480, 960, 240, 480), (481, 1, 480, 1), (3, 700, 2, 480), (7, 5, 7, 5)])
    func theLongerEdgeIsBounded(width: Int, height: Int, previewWidth: Int, previewHeight: Int) throws {
        let made = try made(try Drawing.quarters(width: width, height: height).png(), "png")
        #expect([made.width, made.height] == [width, height])
        let preview = try Drawing(webp: made.webp)
        #expect([preview.width, preview.height] == [previewWidth, previewHeight])
    }

    @Test func aNoisyImageIsCompressedUntilItFits() throws {
        var state: UInt32 = 1
        let noise = try Drawing(width: 480, height: 480) { _, _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int32(state >> 8)
        }
        let made = try made(try noise.png(), "png")
        #expect(made.webp.count <= PreviewBounds.imageBytesMax)
        #expect(try noise.webp(quality: 75).count > PreviewBounds.imageBytesMax, "the noise is too weak for this test")
    }

    // MARK: Accepted images

    @Test(arguments: ["jpeg", "png", "webp"]) func noMetadataComesThrough(format: String) throws {
        let drawing = try Drawing.quarters(width: 64, height: 32)
        let exif = Files.exif(orientation: 1)
        let file =
            switch format {
            case "jpeg": Files.jpeg(try drawing.jpeg(), exif: exif)
            case "png": Files.png(try drawing.png(), exif: exif)
            default: Files.webp(try drawing.webp(), width: 64, height: 32, exif: exif)
            }
        #expect(String(decoding: file, as: UTF8.self).contains(Files.secret))
        let made = try made(file, format)
        #expect(!String(decoding: made.webp, as: UTF8.self).contains(Files.secret))
        #expect(Set(Files.chunkNames(ofWebP: made.webp)).isSubset(of: ["VP8X", "VP8 ", "VP8L", "ALPH"]))
    }

    @Test func transparencyIsKept() throws {
        let nothing = Color(red: 0, green: 0, blue: 0, transparency: 127)
        for format in ["png", "gif"] {
            let drawing = try Drawing(width: 32, height: 32) { x, _ in x < 16 ? Color.red.pixel : nothing.pixel }
            if format == "gif" {
                gdImageTrueColorToPalette(drawing.image, 0, 8)
                gdImageColorTransparent(drawing.image, gdImageColorClosestAlpha(drawing.image, 0, 0, 0, 127))
            }
            let preview = try Drawing(webp: made(try drawing.file(format), format).webp)
            #expect(preview.color(4, 16).isNear(.red))
            #expect(preview.color(28, 16).transparency == 127, "\(format)")
        }
    }

    @Test func anAnimationIsItsFirstFrame() throws {
        let first = try Drawing.quarters(width: 32, height: 16)
        let second = try Drawing(width: 32, height: 16) { _, _ in 0 }
        let file = Files.animation(
            width: 64, height: 32, frames: [(try first.webp(), 32, 16, 32, 16), (try second.webp(), 0, 0, 32, 16)])
        let made = try made(file, "webp")
        #expect([made.width, made.height] == [64, 32])
        let preview = try Drawing(webp: made.webp)
        #expect([preview.width, preview.height] == [64, 32])
        #expect(preview.color(8, 8).transparency == 127)
        #expect(preview.color(40, 20).isNear(.red) && preview.color(60, 28).isNear(.yellow))
    }

    // MARK: Refused images

    @Test(arguments: ["jpeg", "png", "gif", "webp"]) func truncatedFileIsRefused(format: String) throws {
        let file = try Drawing.quarters(width: 24, height: 16).file(format)
        #expect(try made(file, format).width == 24)
        // The last byte of a JPEG belongs to its last marker, that of a GIF is its trailer: the image is complete
        // without it.
        let image = format == "gif" ? file.count - 1 : file.count
        for end in 0..<image { #expect(try answer(Array(file[..<end]), format) == .unreadable, "\(end)") }
    }

    @Test(arguments: ["jpeg", "png", "gif", "webp"], ["jpeg", "png", "gif", "webp"])
    func onlyTheFormatThatWasToldIsTried(format: String, told: String) throws {
        guard format != told else { return }
        #expect(try answer(try Drawing.quarters(width: 24, height: 16).file(format), told) == .unreadable)
    }

    @Test func tooManyPixelsAreRefusedByTheHeaderAlone() throws {
        #expect(try answer(Files.png(width: 1001, height: 1000), "png") == .tooManyPixels)
        #expect(try answer(Files.png(width: 1000, height: 1000), "png") == .unreadable)
    }

    /// In each scan the decoder visits all pixels: the more pixels, the fewer scans are allowed.
    @Test func aJPEGOfTooManyScansIsNotDecoded() throws {
        let file = try Drawing.quarters(width: 64, height: 32).progressiveJPEG()
        #expect(try made(file, "jpeg").width == 64)
        let pixels = 64 * 32
        for (times, pixelsMax, isMade) in [
            (91, 1_000_000, true), (92, 1_000_000, false), (7, pixels, true), (8, pixels, false),
            (50_000, 1_000_000, false),
        ] {
            let answer = try answer(Files.jpeg(file, lastScanTimes: times), "jpeg", pixelsMax: pixelsMax)
            #expect((answer == .tooMuchWork) == !isMade, "\(times + 9) scans")
            if case .preview = answer { #expect(isMade) }
        }
    }

    /// A clear code before each pixel makes the decoder clear its table as often.
    @Test func aGIFOfTooManyClearCodesIsNotDecoded() throws {
        let pixels = 64 * 48
        let plain = Files.gif(width: 64, height: 48, codes: (0..<pixels).map { _ in 1 })
        let heavy = Files.gif(width: 64, height: 48, codes: (0..<pixels).flatMap { _ in [Files.gifClear, 1] })
        for (file, pixelsMax, isMade) in [
            (plain, pixels, true), (heavy, 1_000_000, true), (heavy, pixels, false),
        ] {
            let answer = try answer(file, "gif", pixelsMax: pixelsMax)
            #expect((answer == .tooMuchWork) == !isMade)
            if case .preview = answer { #expect(isMade) }
        }
    }

    /// The decoder would inflate each of them and discard it: with a thousand of them up to 8 GB.
    @Test func textsOfAPNGAreNotInflated() throws {
        let drawing = try Drawing.quarters(width: 24, height: 16)
        let file = try drawing.png()
        // Compressed text with invalid data: libpng reports each one that it inflates.
        let text = Files.chunk("zTXt", Array("Comment\0\0broken".utf8))
        let bytes = Array(file[..<33]) + (0..<2_000).flatMap { _ in text } + file[33...]
        let preview = try Drawing(webp: made(bytes, "png").webp)
        #expect(zip(preview.quarters, Self.quarters).allSatisfy { $0.isNear($1) })
        let header = try ImageHeader(bytes, format: .png)
        #expect(header.still?.count ?? bytes.count <= file.count)
    }
}
