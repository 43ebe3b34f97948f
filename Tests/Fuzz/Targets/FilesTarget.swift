internal import GoHubCore
internal import GoHubStore
internal import GoHubSystem

@testable import GoHubHTTPSyntax

extension FuzzTarget {
    /// A client's description of a file, and the file's first bytes. The first byte chooses the announced size.
    static let files = FuzzTarget("files", bytesMax: 8192) { bytes in
        var input = FuzzInput(bytes)
        let size = UInt64(input.byte())
        let rest = Array(input.rest)
        try checkName(rest.text)
        try checkType(rest)
        try checkRanges(rest.text, size: size)
        try checkIdentities(rest.text)
    }

    private static func checkName(_ text: String) throws {
        let name = FileName(cleaning: text)
        try require((1...FileName.bytesMax).contains(name.value.utf8.count), "a name has 1 to 255 bytes")
        try require(FileName(name.value) == name, "a clean name stays as it is")
        try require(!name.value.contains { "/\\\0\r\n\"".contains($0) }, "a name ends no line and is no path")
        try require(name.value != "." && name.value != "..", "a name is no folder")
        let field = ContentDisposition.field(name, isInline: true)
        try require(field.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, "a header field is printable")
        try requireEqual(field.filter { $0 == "\"" }.count, 2, "a name doesn't leave its quotes")
        // Quotes in the name are encoded where the header has the name literally.
        let encoded = field.split(separator: "''").last.map { String($0) } ?? ""
        try requireEqual(PercentEncoding.decode(encoded), name.value, "a name is told as it is")
    }

    private static func checkType(_ bytes: [UInt8]) throws {
        for isWhole in [true, false] {
            let type = FileType(ofBeginning: bytes, isWhole: isWhole).rawValue
            let isRun = ["html", "svg", "xml", "script"].contains { type.contains($0) }
            try require(!isRun, "nothing is told that is run")
        }
    }

    private static func checkRanges(_ text: String, size: UInt64) throws {
        guard case .parts(let parts) = ByteRanges(text, size: size) else { return }
        try require((1...ByteRanges.partsMax).contains(parts.count), "there are 1 to 8 parts")
        try require(parts.allSatisfy { !$0.isEmpty && $0.upperBound <= size }, "no part leaves the file")
        for (one, next) in zip(parts, parts.dropFirst()) {
            try require(one.upperBound < next.lowerBound, "parts don't touch")
        }
    }

    private static func checkIdentities(_ text: String) throws {
        if let id = FileID(text) { try requireEqual(id.value, text, "an id has one spelling") }
        if let blob = BlobID(text) { try requireEqual(blob.description, text, "a blob has one spelling") }
        if let hash = ContentHash(hex: text) { try requireEqual(hash.hex, text.lowercased(), "a hash is its digits") }
        if let seconds = HTTPDate.parse(text) {
            try requireEqual(HTTPDate.parse(HTTPDate.format(seconds)), seconds, "a date is read as it is written")
        }
    }
}
