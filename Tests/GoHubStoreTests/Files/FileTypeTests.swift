import GoHubCore
import GoHubStore
import Testing

struct FileTypeTests {
    private static func box(_ brands: String...) -> [UInt8] {
        let size = UInt8(12 + 4 * (brands.count))
        return [0, 0, 0, size] + Array("ftyp".utf8) + Array(brands[0].utf8) + [0, 0, 0, 0]
            + brands.dropFirst().flatMap { Array($0.utf8) }
    }

    private static func riff(_ form: String) -> [UInt8] {
        Array("RIFF".utf8) + [0x24, 0, 0, 0] + Array(form.utf8)
    }

    /// MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes a frame.
    private static let mpegFrame: [UInt8] = [0xFF, 0xFB, 0x90, 0x00] + [UInt8](repeating: 0, count: 413)

    private static let table: [(String, [UInt8], FileType)] = [
        ("png", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0], .png),
        ("jpeg", [0xFF, 0xD8, 0xFF, 0xE0], .jpeg), ("gif", Array("GIF89a".utf8), .gif),
        ("old gif", Array("GIF87a".utf8), .gif), ("webp", riff("WEBPVP8 "), .webp), ("wav", riff("WAVEfmt "), .wav),
        ("avi is nothing of ours", riff("AVI LIST"), .bytes), ("pdf", Array("%PDF-1.7\n".utf8), .pdf),
        ("ogg", Array("OggS\0".utf8), .ogg), ("flac", Array("fLaC".utf8), .flac),
        ("mp3 with tags", Array("ID3\u{4}".utf8), .mp3),
        ("mp3", mpegFrame + mpegFrame, .mp3), ("a frame alone is chance", mpegFrame, .bytes),
        ("zip", Array("PK\u{3}\u{4}".utf8), .zip), ("empty zip", Array("PK\u{5}\u{6}".utf8), .zip),
        ("mp4", box("isom", "avc1"), .mp4), ("m4a", box("M4A ", "isom"), .m4a), ("avif", box("avif", "mif1"), .avif),
        ("avif by its second brand", box("mif1", "avif"), .avif), ("an unknown brand", box("heic", "mif1"), .bytes),
        ("a box that lies about its size", [0, 0, 1, 0] + Array("ftypisom".utf8) + [0, 0, 0, 0], .bytes),
        ("a box of no size", [0, 0, 0, 0] + Array("ftypisom".utf8) + [0, 0, 0, 0], .bytes),
        ("webm", [0x1A, 0x45, 0xDF, 0xA3, 0x9F, 0x42, 0x86, 0x81, 1, 0x42, 0x82, 0x84] + Array("webm".utf8), .webm),
        ("matroska", [0x1A, 0x45, 0xDF, 0xA3, 0x9F, 0x42, 0x82, 0x88] + Array("matroska".utf8), .bytes),
        ("text", Array("Hello,\r\n\tWörld 🎉".utf8), .text), ("empty", [], .bytes),
        ("latin-1", [0x47, 0x72, 0xFC, 0xDF], .bytes),
        ("a null", Array("a\0b".utf8), .bytes), ("overlong", [0x61, 0xC0, 0x80], .bytes),
        // Executable formats count as text, or bytes.
        ("html", Array("<!DOCTYPE html><script>alert(1)</script>".utf8), .text),
        ("svg", Array("<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>".utf8), .text),
        ("xml", Array("<?xml version='1.0'?>".utf8), .text), ("js", Array("fetch('/')".utf8), .text),
        ("html in UTF-16", [0xFF, 0xFE, 0x3C, 0x00], .bytes),
        // Matches two formats: the first bytes decide.
        ("gif and html", Array("GIF89a/*<script>*/=1".utf8), .gif),
        ("pdf and html", Array("%PDF-1.4<html>".utf8), .pdf),
        ("html and pdf", Array("<html>%PDF-1.4".utf8), .text),
        ("jpeg and zip", [0xFF, 0xD8, 0xFF, 0xFE] + Array("PK\u{3}\u{4}".utf8), .jpeg),
        ("a space before html", Array(" <html>".utf8), .text),
        ("png that isn't", [0x89, 0x50, 0x4E, 0x47, 0x0A], .bytes),
    ]

    @Test(arguments: table.indices)
    func typeIsDetectedFromFirstBytes(_ index: Int) {
        let (name, bytes, type) = Self.table[index]
        #expect(FileType(ofBeginning: bytes, isWhole: true) == type, "\(name)")
        // A shorter prefix may reveal less, but never an executable type, and never traps.
        for count in bytes.indices {
            let type = FileType(ofBeginning: Array(bytes[..<count]), isWhole: count % 2 == 0)
            #expect(!type.rawValue.contains("html") && !type.rawValue.contains("xml"))
        }
    }

    @Test func truncatedCharacterIsAllowed() {
        let text = Array("aé€🎉".utf8)
        for count in 1...text.count {
            #expect(FileType(ofBeginning: Array(text[..<count]), isWhole: false) == .text)
        }
        #expect(FileType(ofBeginning: [0x61, 0xF0, 0x9F, 0x8E], isWhole: true) == .bytes)
    }

    @Test func randomBytesNeverBecomeUnsafeTypes() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<3_000 {
            let bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
                UInt8.random(in: .min ... .max, using: &random)
            }
            let type = FileType(ofBeginning: bytes, isWhole: false)
            #expect(!type.rawValue.contains("html") && !type.rawValue.contains("svg"))
        }
    }

    @Test func onlyPassiveTypesAreShownInline() {
        for type in [FileType.pdf, .zip, .bytes, FileType(rawValue: "image/svg+xml"), FileType(rawValue: "text/html")] {
            #expect(!type.isPassive)
        }
        for type in [FileType.png, .jpeg, .gif, .webp, .avif, .text, .mp3, .mp4, .webm] { #expect(type.isPassive) }
    }
}
