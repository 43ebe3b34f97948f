import Foundation
import Testing

/// The examples of the documentation catalog are the code between the marks `// begin: name` and `// end: name` of the
/// files in this folder: `EmbeddingPageTests.swift` has those of `Embedding.md`, in their order.
struct DocumentationCatalogTests {
    /// The folder of these tests, in this very checkout.
    private static let tests = folder(#filePath, up: 1)
    private static let catalog = folder(#filePath, up: 4) + "/Sources/GoHubCore/GoHubCore.docc"

    private static func folder(_ path: String, up count: Int) -> String {
        path.split(separator: "/", omittingEmptySubsequences: false).dropLast(count).joined(separator: "/")
    }

    private static func lines(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
    }

    private static func names(_ folder: String, endingWith end: String) throws -> Set<String> {
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        return Set(files.filter { $0.hasSuffix(end) }.map { String($0.dropLast(end.count)) })
    }

    /// The blocks of lines between two kinds of marks.
    private static func blocks(
        of lines: [String], from isBegin: (String) -> Bool, to isEnd: (String) -> Bool
    ) -> [String] {
        var blocks: [String] = []
        var block: [String]?
        for line in lines {
            if let lines = block {
                block = isEnd(line) ? nil : lines + [line]
                if block == nil { blocks.append(lines.joined(separator: "\n")) }
            } else if isBegin(line) {
                block = []
            }
        }
        #expect(block == nil, "The last block has no end.")
        return blocks
    }

    @Test(arguments: try names(catalog, endingWith: ".md"))
    func examplesAreTheTestedCode(_ page: String) throws {
        let shown = Self.blocks(
            of: try Self.lines("\(Self.catalog)/\(page).md"), from: { $0 == "```swift" }, to: { $0 == "```" })
        guard !shown.isEmpty else { return }
        let tested = Self.blocks(
            of: try Self.lines("\(Self.tests)/\(page)PageTests.swift"), from: { $0.hasPrefix("// begin: ") },
            to: { $0.hasPrefix("// end: ") })
        #expect(shown == tested, "Copy the code between the marks in \(page)PageTests.swift into \(page).md.")
    }

    @Test func everyTestedPageExists() throws {
        let pages = try Self.names(Self.catalog, endingWith: ".md")
        let tested = try Self.names(Self.tests, endingWith: "PageTests.swift")
        #expect(!tested.isEmpty)
        #expect(tested.subtracting(pages) == [])
    }
}
