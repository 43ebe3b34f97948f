import GoHubCore
import GoHubTestSupport
import Testing

struct FileIdentityTests {
    @Test func idsAreWhatTheyAreWrittenAs() {
        let ids = (0..<1_000).map { _ in FileID.random() }
        #expect(Set(ids).count == 1_000)
        for id in ids {
            #expect(id.value.utf8.count == 22)
            #expect(FileID(id.value) == id)
        }
    }

    @Test(arguments: [
        "", "a", String(repeating: "A", count: 21), String(repeating: "A", count: 23), "../../../../etc/passwd",
        // The last character has bits that nothing stands for.
        String(repeating: "A", count: 21) + "B", "AAAAAAAAAAAAAAAAAAAAA=", "AAAAAAAAAAAAAAAAAAAA/A",
        "AAAAAAAAAAAAAAAAAAAA.A", "ÄAAAAAAAAAAAAAAAAAAAA",
    ])
    func whatIsntAnIdIsNone(_ text: String) {
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

    @Test func blobsAreWhatTheyAreWrittenAs() throws {
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

    @Test func aDeclaredTypeCantBreakAnything() {
        let request = UploadRequest(
            room: .lobby, owner: .alice, id: .named("c"), name: .fallback,
            declaredType: "image/png\r\nX: y\0ü" + String(repeating: "z", count: 200), size: 1)
        #expect(request.declaredType.hasPrefix("image/pngX: yz"))
        #expect(request.declaredType.utf8.count == UploadRequest.declaredTypeBytesMax)
    }
}

struct FileURLSignerTests {
    private let file = FileID.random()
    private let key = [UInt8](repeating: 7, count: 32)

    @Test func aLinkIsGoodForWhatItWasMadeForUntilItEnds() throws {
        let signer = try #require(FileURLSigner(key: key))
        let end = WallTime.ms(0).milliseconds / 1000 + 60
        let signature = signer.sign(file, in: .standard, expiresAt: end)
        #expect(signer.isValid(signature, of: file, in: .standard, now: .ms(0)))
        #expect(signer.isValid(signature, of: file, in: .standard, now: .ms(59_999)))
        #expect(!signer.isValid(signature, of: file, in: .standard, now: .ms(60_000)))
        #expect(!signer.isValid(signature, of: .random(), in: .standard, now: .ms(0)))
        #expect(!signer.isValid(signature, of: file, in: .named("elsewhere"), now: .ms(0)))
        let later = FileURLSigner.Signature(expiresAt: end + 1, code: signature.code)
        #expect(!signer.isValid(later, of: file, in: .standard, now: .ms(0)))
        // Nodes that have the same key take each other's.
        let other = try #require(FileURLSigner(key: key))
        #expect(other.isValid(signature, of: file, in: .standard, now: .ms(0)))
        #expect(!FileURLSigner().isValid(signature, of: file, in: .standard, now: .ms(0)))
    }

    @Test func everyOtherCodeIsWrong() throws {
        let signer = FileURLSigner()
        let signature = signer.sign(file, in: .standard, expiresAt: .max)
        for index in signature.code.indices {
            var code = signature.code
            code.replaceSubrange(index...index, with: code[index] == "A" ? "B" : "A")
            let changed = FileURLSigner.Signature(expiresAt: .max, code: code)
            #expect(!signer.isValid(changed, of: file, in: .standard, now: .ms(0)))
        }
        for code in ["", "A", signature.code + "A", String(signature.code.dropLast()), "=\(signature.code)"] {
            let changed = FileURLSigner.Signature(expiresAt: .max, code: code)
            #expect(!signer.isValid(changed, of: file, in: .standard, now: .ms(0)))
        }
    }

    @Test func aKeyThatIsTooShortIsNone() {
        #expect(FileURLSigner(key: [UInt8](repeating: 1, count: 31)) == nil)
    }
}

struct InMemoryFileCatalogTests {
    @Test(arguments: FileCatalogContract.checks)
    func keepsTheContract(_ check: FileCatalogContract) async throws {
        try await check.run(on: InMemoryFileCatalog())
    }
}
