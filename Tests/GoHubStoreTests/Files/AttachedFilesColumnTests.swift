import GoHubTestSupport
import Testing

@testable import GoHubCore
@testable import GoHubStore

struct AttachedFilesColumnTests {
    private let file = StoredFile.test(
        "päth.png", in: .lobby, size: .max,
        image: ImageProperties(width: 640, height: 1, placeholder: "a/+=", hasPreview: true))

    @Test func encodedFilesRoundTrip() {
        var plain = file
        plain.image = nil
        var poor = file
        poor.image = ImageProperties(width: 0, height: 2)
        let files = [
            AttachedFile(file, alt: AltText("x \"y\"")), AttachedFile(plain), AttachedFile(poor), AttachedFile(file),
        ]
        for count in 1...files.count {
            let some = Array(files.prefix(count))
            #expect([AttachedFile](encoded: some.encoded) == some)
            #expect(some.encoded.utf8.count <= some.weight)
        }
    }

    /// The hub writes the type and the placeholder itself, but a column must be readable with any values.
    @Test func encodedLinesStayIntact() {
        var file = file
        file.image = ImageProperties(width: 1, height: 2, placeholder: "a\tb\n")
        let strange = AttachedFile(
            id: file.id, name: file.name, type: FileType(rawValue: "x\n"), size: 1, image: file.image)
        let read = [AttachedFile](encoded: [strange, strange].encoded)
        #expect(read?.count == 2)
        #expect(read?.first?.image == ImageProperties(width: 1, height: 2))
        #expect(read?.first?.type.rawValue == "")
    }

    @Test(arguments: [
        "", "\n", "x", "h1Qv0m3nT2S4k6d8f0a2cA", "h1Qv0m3nT2S4k6d8f0a2cA\timage/png\t1\ta",
        "h1Qv0m3nT2S4k6d8f0a2cA\timage/png\t-1\ta\t\t\t\t\t", "h1Qv0m3nT2S4k6d8f0a2cA\timage/png\t1\ta\tx\t1\t0\t\t",
        "no id\timage/png\t1\ta\t\t\t\t\t", "h1Qv0m3nT2S4k6d8f0a2cA\timage/png\t1\ta\t\t\t\t\t\u{7F}",
        "h1Qv0m3nT2S4k6d8f0a2cA\timage/png\t1\ta\t\t\t\t\t\n",
    ])
    func malformedEncodingIsRefused(_ text: String) {
        #expect([AttachedFile](encoded: text) == nil)
    }

    /// The limits are checked with the upper bound of a file's size in JSON.
    @Test func fileWeightIsBounded() throws {
        let alt = try #require(AltText(String(repeating: "x", count: AltText.bytesMax)))
        let name = String(repeating: "n", count: FileName.bytesMax)
        let heavy = AttachedFile(
            StoredFile.test(
                name, in: .lobby, type: FileType(rawValue: String(repeating: "t", count: 64)), size: .max,
                image: ImageProperties(
                    width: .max, height: .max, placeholder: String(repeating: "p", count: 256), hasPreview: true)),
            alt: alt)
        #expect(heavy.weight == AttachedFile.weightMax)
        #expect([heavy].encoded.utf8.count <= heavy.weight)
    }
}
