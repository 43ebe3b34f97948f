import GoHubCore
import GoHubStore
import Testing

struct BlobIDTests {
    @Test func blobIDsRoundTrip() throws {
        let hash = try #require(ContentHash(bytes: [UInt8](repeating: 0xAB, count: 32)))
        let blob = BlobID(hash: hash, origin: .random())
        #expect(BlobID(blob.description) == blob)
        for text in [
            "", ".", "\(hash.hex)", "\(hash.hex).", "../\(blob)", "\(blob)/..", "\(blob).x",
            "\(blob.description.uppercased())",
        ] {
            #expect(BlobID(text) == nil)
        }
    }
}
