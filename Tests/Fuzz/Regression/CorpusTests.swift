import Foundation
import Testing

/// Runs every input of the corpus once, so that a bug that was found stays fixed, without the fuzzer.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Corpus")

    @Test(arguments: FuzzTarget.all.map(\.name))
    func everyInputKeepsThePromises(of name: String) async throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let files = try FileManager.default.contentsOfDirectory(
            at: Self.folder.appending(path: name), includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files.sorted(by: { $0.path < $1.path }) {
            let bytes = Array(try Data(contentsOf: file))
            #expect(bytes.count <= target.bytesMax, "\(file.lastPathComponent)")
            do {
                switch target.check {
                case .now(let check): try check(bytes)
                case .later(let check): try await check(bytes)
                }
            } catch {
                Issue.record("\(name)/\(file.lastPathComponent): \(error)")
            }
        }
    }

    @Test func noFolderIsWithoutATarget() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
    }

    /// A check that cannot fail would find nothing.
    @Test func aBrokenPromiseIsAnError() {
        #expect(throws: BrokenPromise.self) { try require(false, "nothing holds") }
        #expect(throws: BrokenPromise.self) { try requireEqual(1, 2, "numbers are equal") }
    }
}
