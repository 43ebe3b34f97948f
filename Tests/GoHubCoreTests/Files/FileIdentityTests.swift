import GoHubCore
import GoHubTestSupport
import Testing

struct FileIdentityTests {
    @Test func idsRoundTrip() {
        let ids = (0..<1_000).map { _ in FileID.random() }
        #expect(Set(ids).count == 1_000)
        for id in ids {
            #expect(id.value.utf8.count == 22)
            #expect(FileID(id.value) == id)
        }
    }

    @Test(arguments: [
        "", "a", String(repeating: "A", count: 21), String(repeating: "A", count: 23), "../../../../etc/passwd",
        // The last character has unused bits.
        String(repeating: "A", count: 21) + "B", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAA/A",
        "AAAAAAAAAAAAAAAAAAAA.A", "ÄAAAAAAAAAAAAAAAAAAAA",
    ])
    func malformedIDIsRefused(_ text: String) {
        #expect(FileID(text) == nil)
    }

    @Test func hashesAreHexadecimal() throws {
        let hash = try #require(ContentHash(hex: String(repeating: "0aF", count: 21) + "9"))
        #expect(hash.hex == String(repeating: "0af", count: 21) + "9")
        #expect(ContentHash(hex: hash.hex) == hash && ContentHash(bytes: hash.bytes) == hash)
        for text in ["", "0", String(repeating: "0", count: 63), String(repeating: "g", count: 64)] {
            #expect(ContentHash(hex: text) == nil)
        }
        #expect(ContentHash(bytes: [1, 2, 3]) == nil)
    }

    @Test func declaredTypeIsSanitised() {
        let request = Upload.Request(
            room: .lobby, owner: .alice, id: .named("c"), name: .fallback,
            declaredType: "image/png\r\nX: y\0ü" + String(repeating: "z", count: 200), size: 1)
        #expect(request.declaredType.hasPrefix("image/pngX: yz"))
        #expect(request.declaredType.utf8.count == Upload.Request.declaredTypeBytesMax)
    }
}
