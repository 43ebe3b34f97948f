import GoHubPreviewExchange
import GoHubTestSupport
import Testing

@Suite struct PreviewAnswerTests {
    private static let webp = Array("RIFF\u{4}\0\0\0WEBP".utf8)
    private static let preview = PreviewAnswer.preview(
        width: 4032, height: 3024, placeholder: "LEHV6nWB2yk8pyo0adR*.7kCMdnj", webp: webp)

    @Test(arguments: [preview, .tooManyPixels, .unreadable, .unconfined, .tooMuchWork])
    func answersRoundTrip(answer: PreviewAnswer) {
        #expect(PreviewAnswer(answer.encoded()) == answer)
    }

    @Test func incompleteAnswerIsRefused() {
        for answer in [Self.preview, .tooManyPixels] {
            let bytes = answer.encoded()
            for end in 0..<bytes.count { #expect(PreviewAnswer(Array(bytes[..<end])) == nil) }
            #expect(PreviewAnswer(bytes + [0]) == nil)
        }
    }

    @Test(arguments: ["\"", "\\", "<", "&", "'", "\n", "\u{7F}", "ü", String(repeating: "a", count: 101)])
    func aPlaceholderIsHarmlessText(text: String) {
        let answer = PreviewAnswer.preview(width: 1, height: 1, placeholder: text, webp: Self.webp)
        #expect(PreviewAnswer(answer.encoded()) == nil)
    }

    @Test func onlyWebPWithinItsBoundsIsAnImage() {
        for webp in [
            [], Array("<svg xmlns=...>".utf8), Array("RIFF\u{4}\0\0\0WAVE".utf8),
            Self.webp + [UInt8](repeating: 0, count: PreviewBounds.imageBytesMax),
        ] {
            let answer = PreviewAnswer.preview(width: 1, height: 1, placeholder: "L", webp: webp)
            #expect(PreviewAnswer(answer.encoded()) == nil)
        }
        #expect(
            PreviewAnswer(PreviewAnswer.preview(width: 0, height: 1, placeholder: "L", webp: Self.webp).encoded())
                == nil)
    }

    @Test func noBytesTrap() {
        var random = SeededRandom(seed: 11)
        let bytes = Self.preview.encoded()
        for _ in 0..<5000 {
            var changed = bytes
            changed[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            if let answer = PreviewAnswer(changed) { #expect(answer.encoded() == changed) }
        }
    }

    @Test func anOrderIsReadFromItsArguments() {
        let order = PreviewOrder(format: "png", pixelsMax: 1, memoryBytesMax: 2, cpuSecondsMax: 3)
        #expect(PreviewOrder(arguments: order.arguments) == order)
        for wrong in [[], ["png"], ["png", "1", "2", "0"], ["png", "1", "-2", "3"], ["png", "1", "2", "3", "4"]] {
            #expect(PreviewOrder(arguments: wrong) == nil)
        }
    }
}
