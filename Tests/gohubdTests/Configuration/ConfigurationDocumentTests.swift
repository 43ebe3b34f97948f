import GoHubSystem
import Testing

@testable import GoHubConfiguration
@testable import gohubd

@Suite struct ConfigurationDocumentTests {
    /// `Docs/Configuration.md` of this checkout.
    private func document() throws -> String {
        var folders = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        folders.removeLast(4)
        let path = folders.joined(separator: "/") + "/Docs/Configuration.md"
        return String(decoding: try BoundedFile.read(path, bytesMax: 1024 * 1024), as: UTF8.self)
    }

    @Test func theDocumentListsExactlyTheKeys() throws {
        let rows = try document().split(separator: "\n").filter { $0.hasPrefix("| `") }.map(String.init)
        let table = ConfigurationTable.markdown().split(separator: "\n").dropFirst(2).map(String.init)
        #expect(rows == table, "Renew the table with `gohubd check-config --list-keys`.")
    }

    @Test func noKeyIsListedTwice() {
        #expect(Set(ConfigurationKey.all.map(\.name)).count == ConfigurationKey.all.count)
    }
}
