import GoHubTestSupport
import Testing

@testable import GoHubCore

struct AttachedFileTests {
    private let file = StoredFile.test(
        "päth.png", in: .lobby, size: .max,
        image: ImageProperties(width: 640, height: 1, placeholder: "a/+=", hasPreview: true))

    @Test(arguments: ["a", "Ein Bild: „Käse\u{2028}“", "\u{200F}مرحبا", String(repeating: "é", count: 500)])
    func altTextHasNoControls(_ words: String) {
        #expect(AltText(words)?.value == words)
    }

    @Test(arguments: ["", "a\u{0}", "\n", "a\tb", "\u{7F}", "\u{85}", String(repeating: "é", count: 500) + "x"])
    func malformedAltIsRefused(_ words: String) {
        #expect(AltText(words) == nil)
    }

    @Test func equivalentAltSpellingsDiffer() {
        let (one, two) = (AltText("\u{E9}"), AltText("e\u{301}"))
        #expect(one != two)
        #expect(
            MessageContent.Kind.attached([AttachedFile(file, alt: one)], nil)
                != .attached([AttachedFile(file, alt: two)], nil))
    }
}
