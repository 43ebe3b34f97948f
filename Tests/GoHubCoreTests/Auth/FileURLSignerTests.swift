import GoHubCore
import GoHubTestSupport
import Testing

struct FileURLSignerTests {
    private let file = FileID.random()
    private let key = [UInt8](repeating: 7, count: 32)

    @Test func linkIsValidForItsFileUntilExpiry() throws {
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
        // Nodes with the same key accept each other's signatures.
        let other = try #require(FileURLSigner(key: key))
        #expect(other.isValid(signature, of: file, in: .standard, now: .ms(0)))
        #expect(!FileURLSigner().isValid(signature, of: file, in: .standard, now: .ms(0)))
    }

    @Test func forgedLinkIsRefused() throws {
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

    @Test func shortKeyIsRefused() {
        #expect(FileURLSigner(key: [UInt8](repeating: 1, count: 31)) == nil)
    }
}
