import GoHubCore
import HTTPTypes
import Testing

@testable import GoHubHTTP
@testable import GoHubHTTPSyntax

/// RFC 9110, section 13: each case of the table names its section.
struct PreconditionsTests {
    private static let tag = "\"a,b\""
    /// Sun, 06 Nov 1994 08:49:37 GMT
    private static let time: Int64 = 784_111_777
    private static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
    private static let earlier = "Sun, 06 Nov 1994 08:49:36 GMT"
    private static let later = "Sun, 06 Nov 1994 08:49:38 GMT"

    private static let table: [(section: String, HTTPFields, Preconditions.Verdict)] = [
        ("13.2.2: nothing", [:], .proceed),
        ("13.1.1: the same", [.ifMatch: tag], .proceed), ("13.1.1: another", [.ifMatch: "\"x\""], .failed),
        ("13.1.1: any", [.ifMatch: "*"], .proceed), ("13.1.1: in a list", [.ifMatch: "\"x\", \(tag)"], .proceed),
        ("13.1.1: weak isn't strong", [.ifMatch: "W/\(tag)"], .failed), ("13.1.1: no tag", [.ifMatch: "x"], .failed),
        ("13.1.4: since then", [.ifUnmodifiedSince: date], .proceed),
        ("13.1.4: changed since", [.ifUnmodifiedSince: earlier], .failed),
        ("13.1.4: no date", [.ifUnmodifiedSince: "yesterday"], .proceed),
        ("13.1.4: not beside If-Match", [.ifMatch: tag, .ifUnmodifiedSince: earlier], .proceed),
        ("13.1.2: the same", [.ifNoneMatch: tag], .notModified),
        ("13.1.2: weakly the same", [.ifNoneMatch: "W/\(tag)"], .notModified),
        ("13.1.2: another", [.ifNoneMatch: "\"x\""], .proceed), ("13.1.2: any", [.ifNoneMatch: "*"], .notModified),
        ("13.1.2: in a list", [.ifNoneMatch: "\"x\" ,, W/\"y\",\(tag)"], .notModified),
        ("13.1.3: not since", [.ifModifiedSince: date], .notModified),
        ("13.1.3: later", [.ifModifiedSince: later], .notModified),
        ("13.1.3: since", [.ifModifiedSince: earlier], .proceed),
        ("13.1.3: no date", [.ifModifiedSince: "0"], .proceed),
        ("13.1.3: not beside If-None-Match", [.ifNoneMatch: "\"x\"", .ifModifiedSince: date], .proceed),
        ("13.2.2: If-Match comes first", [.ifMatch: "\"x\"", .ifNoneMatch: tag], .failed),
        ("13.2.2: then If-None-Match", [.ifMatch: tag, .ifNoneMatch: tag], .notModified),
    ]

    @Test(arguments: table.indices)
    func isJudgedAsTheSectionSays(_ index: Int) {
        let (section, fields, expected) = Self.table[index]
        let preconditions = Preconditions(entityTag: Self.tag, modifiedAt: Self.time)
        #expect(preconditions.decision(fields) == expected, "\(section)")
    }

    @Test(
        arguments: [
            ("13.1.5: no condition", nil, true), ("13.1.5: the same tag", tag, true),
            ("13.1.5: another", "\"x\"", false),
            ("13.1.5: never a weak one", "W/\(tag)", false), ("13.1.5: the same date", date, true),
            ("13.1.5: a later date isn't the same", later, false), ("13.1.5: nonsense", "x", false),
        ] as [(String, String?, Bool)])
    func ifRangeNeedsExactMatch(_ section: String, _ condition: String?, _ expected: Bool) {
        var fields: HTTPFields = [:]
        fields[.ifRange] = condition
        let preconditions = Preconditions(entityTag: Self.tag, modifiedAt: Self.time)
        #expect(preconditions.allowsRange(fields) == expected, "\(section)")
    }

    // MARK: Names

    @Test(arguments: [
        ("a.png", #"inline; filename="a.png"; filename*=UTF-8''a.png"#),
        ("a b.txt", #"inline; filename="a b.txt"; filename*=UTF-8''a%20b.txt"#),
        ("süß.txt", #"inline; filename="s__.txt"; filename*=UTF-8''s%C3%BC%C3%9F.txt"#),
        ("50%25'(x).txt", #"inline; filename="50_25'(x).txt"; filename*=UTF-8''50%2525%27%28x%29.txt"#),
        ("a;b=c,d.txt", #"inline; filename="a;b=c,d.txt"; filename*=UTF-8''a%3Bb%3Dc%2Cd.txt"#),
    ])
    func contentDispositionHasBothNames(_ name: String, _ expected: String) {
        #expect(ContentDisposition.field(FileName(cleaning: name), isInline: true) == expected)
    }

    // MARK: Upload fields

    @Test func uploadFieldsAreStructured() throws {
        func fields(_ fields: [(HTTPField.Name, String)]) -> UploadFields {
            UploadFields(HTTPFields(fields.map { HTTPField(name: $0.0, value: $0.1) }))
        }
        #expect(fields([(.uploadComplete, "?1")]).isComplete == true)
        #expect(fields([(.uploadComplete, "?0")]).isComplete == false)
        // Section 4.1.1: a field of another type is ignored.
        for text in ["1", "true", "?2", "", "?1;a"] { #expect(fields([(.uploadComplete, text)]).isComplete == nil) }
        for text in ["-1", "1.0", "+1", "1e3", "", "1234567890123456", "a"] {
            #expect(fields([(.uploadOffset, text)]).offset == nil)
        }
        #expect(fields([(.uploadOffset, "123456789012345")]).offset == 123_456_789_012_345)
        for (text, version) in [("8", 8), ("6", 6), ("3", 3), ("4", nil), ("9", nil), ("?1", nil)] as [(String, Int?)] {
            #expect(fields([(.uploadDraftInteropVersion, text)]).interopVersion == version)
        }
        let old = fields([(.uploadDraftInteropVersion, "3"), (.uploadIncomplete, "?1")])
        #expect(old.isComplete == false)
        // The length is given in two ways, which must agree.
        #expect(try fields([(.contentLength, "5")]).size(from: 3) == 8)
        #expect(try fields([(.contentLength, "5"), (.uploadComplete, "?0")]).size(from: 0) == nil)
        #expect(try fields([(.contentLength, "5"), (.uploadComplete, "?0"), (.uploadLength, "9")]).size(from: 0) == 9)
        #expect(try fields([(.contentLength, "5"), (.uploadLength, "5")]).size(from: 0) == 5)
        #expect(throws: APIError.self) { try fields([(.contentLength, "5"), (.uploadLength, "6")]).size(from: 0) }
    }
}
