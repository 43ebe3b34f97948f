import Testing

@testable import GoHubHTTPSyntax

/// RFC 9110, section 14: each case of the table names its section.
struct ByteRangesTests {
    private static let table: [(section: String, field: String?, size: UInt64, ByteRanges)] = [
        ("14.2: no field", nil, 100, .whole),
        ("14.1.2: first and last", "bytes=0-9", 100, .parts([0..<10])),
        ("14.1.2: one byte", "bytes=99-99", 100, .parts([99..<100])),
        ("14.1.2: to the end", "bytes=90-", 100, .parts([90..<100])),
        ("14.1.2: the last bytes", "bytes=-10", 100, .parts([90..<100])),
        ("14.1.2: more last bytes than there are", "bytes=-1000", 100, .parts([0..<100])),
        ("14.1.2: a last position behind the end", "bytes=50-1000", 100, .parts([50..<100])),
        ("14.1.2: numbers that no file has", "bytes=5-99999999999999999999999", 100, .parts([5..<100])),
        ("14.1.1: the unit in capitals", "BYTES=0-0", 100, .parts([0..<1])),
        ("14.1.2: white space between", "bytes= 0-0 , 2-2", 100, .parts([0..<1, 2..<3])),
        ("5.6.1: empty elements", "bytes=,0-0,,", 100, .parts([0..<1])),
        ("14.1.2: in any order", "bytes=50-59,0-9", 100, .parts([0..<10, 50..<60])),
        ("14.2: those that overlap are one", "bytes=0-50,40-60", 100, .parts([0..<61])),
        ("14.2: those that touch are one", "bytes=0-9,10-19", 100, .parts([0..<20])),
        ("14.1.2: those outside are left out", "bytes=0-0,200-300", 100, .parts([0..<1])),
        ("14.1.2: none inside", "bytes=100-", 100, .unsatisfiable),
        ("14.1.2: no last bytes", "bytes=-0", 100, .unsatisfiable),
        ("14.1.2: an empty file", "bytes=0-", 0, .unsatisfiable),
        ("14.1.2: an empty file's last bytes", "bytes=-5", 0, .unsatisfiable),
        ("14.2: another unit", "items=0-9", 100, .whole),
        ("14.1.2: last before first", "bytes=9-0", 100, .whole),
        ("14.1.2: nothing", "bytes=", 100, .whole), ("14.1.2: a mark alone", "bytes=-", 100, .whole),
        ("14.1.2: signs", "bytes=+1-2", 100, .whole), ("14.1.2: no mark", "bytes=5", 100, .whole),
        ("14.1.2: words", "bytes=a-b", 100, .whole), ("14.1.2: two marks", "bytes=1-2-3", 100, .whole),
        ("14.1.2: one bad of two", "bytes=0-0,x", 100, .whole), ("14.1.2: fractions", "bytes=0.5-1", 100, .whole),
        ("14.2: without a unit", "0-9", 100, .whole),
    ]

    @Test(arguments: table.indices)
    func isReadAsTheSectionSays(_ index: Int) {
        let (section, field, size, expected) = Self.table[index]
        #expect(ByteRanges(field, size: size) == expected, "\(section)")
    }

    /// Section 17.15: a request for many small ranges gets the whole file.
    @Test func tooManyRangesReturnWholeFile() {
        func field(_ count: Int, step: Int) -> String {
            "bytes=" + (0..<count).map { "\($0 * step)-\($0 * step)" }.joined(separator: ",")
        }
        #expect(ByteRanges(field(ByteRanges.partsMax, step: 2), size: 10_000) != .whole)
        #expect(ByteRanges(field(ByteRanges.partsMax + 1, step: 2), size: 10_000) == .whole)
        // Many ranges that merge into one.
        #expect(ByteRanges(field(64, step: 1), size: 10_000) == .parts([0..<64]))
        #expect(ByteRanges(field(65, step: 1), size: 10_000) == .whole)
    }

    @Test func neverLeavesTheFile() {
        var random = SystemRandomNumberGenerator()
        let pool = Array("0123456789-,= bytes")
        for _ in 0..<20_000 {
            let text = String((0..<Int.random(in: 0...30, using: &random)).map { _ in pool.randomElement() ?? "-" })
            let size = UInt64.random(in: 0...20, using: &random)
            guard case .parts(let ranges) = ByteRanges("bytes=" + text, size: size) else { continue }
            #expect(!ranges.isEmpty && ranges.allSatisfy { !$0.isEmpty && $0.upperBound <= size })
            for (one, next) in zip(ranges, ranges.dropFirst()) { #expect(one.upperBound < next.lowerBound) }
        }
    }
}
