/// The parts of a file that a request asks for (RFC 9110, section 14).
package enum ByteRanges: Equatable {
    /// The whole file: no range, one that isn't in bytes or is malformed (section 14.2), or too many.
    case whole
    /// One part, or several non-adjacent ones, in the order of the file.
    case parts([Range<UInt64>])
    /// 416: no part is in the file (section 15.5.17).
    case unsatisfiable

    /// After merging adjacent ranges, more than this is treated as abuse (section 17.15): the whole file is sent.
    package static let partsMax = 8
    /// The limit before merging; a header field has space for thousands.
    private static let specifiersMax = 64

    /// - Parameter field: the value of `Range`.
    package init(_ field: String?, size: UInt64) {
        self = field.flatMap { Self.read($0, size) } ?? .whole
    }

    private static func read(_ field: String, _ size: UInt64) -> ByteRanges? {
        guard field.lowercased().hasPrefix("bytes=") else { return nil }
        let specifiers = field.dropFirst("bytes=".count).split(separator: ",")
            .map { $0.trimming { $0 == " " || $0 == "\t" } }.filter { !$0.isEmpty }
        guard (1...specifiersMax).contains(specifiers.count) else { return nil }
        var ranges: [Range<UInt64>] = []
        for specifier in specifiers {
            let ends = specifier.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard ends.count == 2 else { return nil }
            switch (ends[0].isEmpty, ends[1].isEmpty) {
            case (true, true): return nil
            case (true, false):
                // The last bytes, or all if there are fewer.
                guard let count = number(ends[1]) else { return nil }
                if count > 0, size > 0 { ranges.append(size - min(count, size)..<size) }
            case (false, _):
                guard let first = number(ends[0]) else { return nil }
                guard let last = ends[1].isEmpty ? .max : number(ends[1]), first <= last else { return nil }
                if first < size { ranges.append(first..<min(last, size - 1) + 1) }
            }
        }
        guard !ranges.isEmpty else { return .unsatisfiable }
        let joined = join(ranges)
        return joined.count <= partsMax ? .parts(joined) : .whole
    }

    private static func join(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        var joined: [Range<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, range.lowerBound <= last.upperBound {
                joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        return joined
    }

    /// A number larger than any file is still valid.
    private static func number(_ text: Substring) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return UInt64(text) ?? .max
    }
}

extension Substring {
    fileprivate func trimming(_ isTrimmed: (Character) -> Bool) -> Substring {
        let start = drop(while: isTrimmed)
        return start.prefix(upTo: start.lastIndex { !isTrimmed($0) }.map { start.index(after: $0) } ?? start.startIndex)
    }
}
