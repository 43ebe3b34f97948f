import GoHubCore
import Testing

struct FileNameTests {
    @Test(arguments: [
        ("photo.png", "photo.png"), ("Grüße aus Köln 🎉.jpeg", "Grüße aus Köln 🎉.jpeg"),
        // Only the last part of a path, with the separators of any system.
        ("../../etc/passwd", "passwd"), ("C:\\Users\\me\\a.txt", "a.txt"), ("/", "file"), ("a/", "a"), ("..", "file"),
        ("./..", "file"), ("a/../..", "file"), ("..\\..\\x", "x"),
        // No characters that break lines, headers or the text direction.
        ("a\r\nSet-Cookie: b", "aSet-Cookie b"), ("a\0.png", "a.png"), ("\u{1B}[31mred", "[31mred"),
        ("exe\u{202E}gpj.exe", "exegpj.exe"), ("a\u{2066}b\u{2069}.txt", "ab.txt"), ("a\u{200F}b\u{061C}", "ab"),
        ("a\u{FEFF}b\u{200B}c", "abc"), ("a\u{85}b\u{2028}c", "abc"), ("\u{FFFD}", "file"),
        // Neither hidden, nor truncated by Windows, nor one of its alternate data streams.
        (".bashrc", "bashrc"), ("a.txt...", "a.txt"), ("a.txt   ", "a.txt"), ("  . a", "a"),
        ("a.txt::$DATA", "a.txt$DATA"),
        ("a<b>|c?*\"d", "abcd"), ("", "file"), (" ", "file"), ("...", "file"),
    ])
    func isCleaned(_ name: String, _ expected: String) {
        #expect(FileName(cleaning: name).value == expected)
    }

    @Test func longNameIsTruncatedAndKeepsExtension() {
        let long = FileName(cleaning: String(repeating: "ä", count: 300) + ".tar.gz")
        #expect(long.value.utf8.count <= FileName.bytesMax && long.value.utf8.count >= FileName.bytesMax - 1)
        #expect(long.value.hasSuffix("ä.gz"))
        let dots = FileName(cleaning: "a." + String(repeating: "b", count: 300))
        #expect(dots.value.utf8.count == FileName.bytesMax && dots.value.hasPrefix("a.bbb"))
        #expect(FileName(cleaning: String(repeating: ".", count: 300) + "a").value == "a")
    }

    /// Cleaning is idempotent.
    @Test func cleanNameIsUnchanged() {
        var random = SystemRandomNumberGenerator()
        let pool: [Unicode.Scalar] = ["a", ".", " ", "/", "\\", "\u{202E}", "é", "😀", "\0", "\u{301}", "%", ":"]
        for _ in 0..<2_000 {
            let count = Int.random(in: 0...400, using: &random)
            var name = String.UnicodeScalarView()
            for _ in 0..<count { name.append(pool.randomElement(using: &random) ?? "a") }
            let cleaned = FileName(cleaning: String(name))
            #expect(FileName(cleaned.value) == cleaned)
            #expect((1...FileName.bytesMax).contains(cleaned.value.utf8.count))
        }
        #expect(FileName("a/b") == nil && FileName("") == nil && FileName("a.") == nil)
    }
}
