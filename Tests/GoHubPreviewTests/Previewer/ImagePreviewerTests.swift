import CGoHubGD
import Glibc
import GoHubCore
import GoHubPreviewExchange
import GoHubStore
import GoHubTestSupport
import Testing

@testable import GoHubPreviews

/// The hub's side and the real helper together: results for valid images, and that malformed ones do no harm.
@Suite struct ImagePreviewerTests {
    private static let formats = ImageFormat.allCases

    private func preview(
        _ bytes: [UInt8], _ format: ImageFormat, by previewer: ImagePreviewer
    ) async throws -> Result<ImagePreview, ImagePreviewFailure> {
        try await ImageFiles().withFile(bytes) { await previewer.preview(of: $0, format: format) }
    }

    /// Checks that the previewer still works as at first.
    private func expectWorks(_ previewer: ImagePreviewer) async throws {
        let file = try Drawing.quarters(width: 64, height: 32).jpeg()
        let preview = try await preview(file, .jpeg, by: previewer).get()
        #expect([preview.width, preview.height] == [64, 32])
    }

    // MARK: Good images

    @Test(arguments: formats) func aPreviewIsMadeOfEveryFormat(format: ImageFormat) async throws {
        let file = try Drawing.quarters(width: 800, height: 400).file(format.rawValue)
        try await withPreviewer { previewer in
            let preview = try await preview(file, format, by: previewer).get()
            #expect([preview.width, preview.height] == [800, 400])
            let seen = try Drawing(webp: preview.webp)
            #expect([seen.width, seen.height] == [480, 240])
            for (color, quarter) in zip(seen.quarters, [Color.red, .green, .blue, .yellow]) {
                #expect(color.isNear(quarter))
            }
            #expect(preview.placeholder.utf8.count == 28)
            let blurred = try BlurHashPixels.colors(preview.placeholder, width: 4, height: 4)
            #expect(blurred[0].isNear(.red, by: 90) && blurred[15].isNear(.yellow, by: 90))
        }
    }

    @Test func photoOrientationIsApplied() async throws {
        let file = Files.jpeg(try Drawing.quarters(width: 64, height: 32).jpeg(), exif: Files.exif(orientation: 6))
        try await withPreviewer { previewer in
            let preview = try await preview(file, .jpeg, by: previewer).get()
            #expect([preview.width, preview.height] == [32, 64])
            #expect(try Drawing(webp: preview.webp).quarters[0].isNear(.blue))
            #expect(!preview.webp.contains(Array(Files.secret.utf8)))
        }
    }

    @Test func theFileIsReadFromItsBeginningAndItsOffsetStays() async throws {
        let file = try Drawing.quarters(width: 64, height: 32).png()
        try await withPreviewer { previewer in
            try await ImageFiles().withFile(file) { descriptor in
                lseek(descriptor, 20, SEEK_SET)
                let seen = try await previewer.preview(of: descriptor, format: .png).get()
                #expect(seen.width == 64)
                #expect(lseek(descriptor, 0, SEEK_CUR) == 20)
            }
        }
    }

    // MARK: Bad images

    @Test func bombsAreRefusedByTheirHeaders() async throws {
        let drawing = try Drawing.quarters(width: 40, height: 30)
        let bombs: [(ImageFormat, [UInt8])] = [
            (.png, Files.png(width: 30_000, height: 30_000)),
            (.png, Files.png(width: .max, height: .max)),
            (.gif, Files.gif(try drawing.gif(), screen: (65_535, 65_535), frame: (40, 30))),
            (.gif, Files.gif(try drawing.gif(), screen: (65_535, 65_535), frame: (65_535, 65_535))),
            (.jpeg, Files.jpeg(try drawing.jpeg(), width: 65_500, height: 65_500)),
            (.webp, Files.webp(try drawing.webp(), width: 16_384, height: 16_384, exif: [])),
        ]
        try await withPreviewer { previewer in
            for (format, bomb) in bombs {
                #expect(try await preview(bomb, format, by: previewer) == .failure(.tooManyPixels), "\(format)")
            }
            try await expectWorks(previewer)
        }
    }

    @Test func falseSizesAreUnreadable() async throws {
        let drawing = try Drawing.quarters(width: 40, height: 30)
        let liars: [(ImageFormat, [UInt8])] = [
            (.jpeg, Files.jpeg(try drawing.jpeg(), width: 2048, height: 2048)),
            (.jpeg, Files.jpeg(try drawing.jpeg(), width: 40, height: 0)),
            (.gif, Files.gif(try drawing.gif(), screen: (0, 0), frame: (40, 30))),
            (.gif, Files.gif(try drawing.gif(), screen: (40, 30), frame: (400, 300))),
            (.webp, Files.webp(try drawing.webp(), width: 400, height: 300, exif: [])),
            (.png, Files.png(width: 1000, height: 1000)),
        ]
        try await withPreviewer { previewer in
            for (format, liar) in liars {
                #expect(try await preview(liar, format, by: previewer) == .failure(.unreadable), "\(format)")
            }
            try await expectWorks(previewer)
        }
    }

    @Test(arguments: formats) func truncatedFileIsUnreadable(format: ImageFormat) async throws {
        let file = try Drawing.quarters(width: 64, height: 32).file(format.rawValue)
        try await withPreviewer { previewer in
            for part in 1...8 {
                let cut = Array(file[..<(file.count * part / 9)])
                #expect(try await preview(cut, format, by: previewer) == .failure(.unreadable))
            }
            try await expectWorks(previewer)
        }
    }

    @Test func randomBytesAreUnreadableAndChangedFilesHarmNobody() async throws {
        var random = SeededRandom(seed: 3)
        try await withPreviewer { previewer in
            for format in Self.formats {
                let noise = (0..<500).map { _ in UInt8.random(in: 0...255, using: &random) }
                #expect(try await preview(noise, format, by: previewer) == .failure(.unreadable))
                let file = try Drawing.quarters(width: 64, height: 32).file(format.rawValue)
                for _ in 0..<4 {
                    var changed = file
                    for _ in 0..<4 {
                        changed[Int.random(in: 0..<file.count, using: &random)] = .random(in: 0...255, using: &random)
                    }
                    // A decoder that survives the image reports a result within the limits.
                    if case .failure(let failure) = try await preview(changed, format, by: previewer) {
                        #expect([.unreadable, .tooManyPixels].contains(failure))
                    }
                }
            }
            try await expectWorks(previewer)
        }
    }

    @Test func onlyTheGivenFormatsDecoderIsUsed() async throws {
        let file = try Drawing.quarters(width: 64, height: 32).png()
        try await withPreviewer { previewer in
            for format in Self.formats where format != .png {
                #expect(try await preview(file, format, by: previewer) == .failure(.unreadable))
            }
            try await expectWorks(previewer)
        }
    }

    /// 36 million pixels, one byte each: 36 MB with a palette, and as much again in the decoder.
    @Test func imageAboveMemoryLimitIsUnreadable() async throws {
        let image = try #require(gdImageCreate(6000, 6000))
        gdImageColorAllocate(image, 20, 200, 20)
        var count: Int32 = 0
        let bytes = gdImagePngPtr(image, &count)
        gdImageDestroy(image)
        defer { gdFree(bytes) }
        let file = Array(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
        try await withPreviewer({ $0.memoryBytesMax = 48 * 1024 * 1024 }) { previewer in
            #expect(try await preview(file, .png, by: previewer) == .failure(.unreadable))
            try await expectWorks(previewer)
        }
        try await withPreviewer { previewer in
            let seen = try await preview(file, .png, by: previewer).get()
            #expect(seen.width == 6000)
        }
    }

    // MARK: Files that the helper never gets

    @Test func onlyReadOnlyDescriptorsAreAccepted() async throws {
        let files = try ImageFiles()
        try files.write("image", try Drawing.quarters(width: 64, height: 32).png())
        try files.write("empty", [])
        try await withPreviewer { previewer in
            for (path, flags) in [
                (files.path("image"), O_RDWR), (files.path("empty"), O_RDONLY), (files.directory, O_RDONLY),
            ] {
                let descriptor = open(path, flags | O_CLOEXEC)
                defer { close(descriptor) }
                #expect(await previewer.preview(of: descriptor, format: .png) == .failure(.unreadable))
            }
            #expect(await previewer.preview(of: -1, format: .png) == .failure(.unreadable))
            let endless = open("/dev/zero", O_RDONLY | O_CLOEXEC)
            defer { close(endless) }
            #expect(await previewer.preview(of: endless, format: .png) == .failure(.tooManyBytes))
        }
    }

    @Test func aFileThatIsTooLargeIsNotRead() async throws {
        let files = try ImageFiles()
        try files.write("image", [0])
        // A sparse file: it takes no space on the disk.
        truncate(files.path("image"), off_t(PreviewBounds.fileBytesMax) + 1)
        let descriptor = open(files.path("image"), O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        try await withPreviewer { previewer in
            #expect(await previewer.preview(of: descriptor, format: .png) == .failure(.tooManyBytes))
        }
    }
}

extension [UInt8] {
    fileprivate func contains(_ part: [UInt8]) -> Bool {
        guard count >= part.count else { return false }
        return (0...(count - part.count)).contains { self[$0..<($0 + part.count)].elementsEqual(part) }
    }
}
