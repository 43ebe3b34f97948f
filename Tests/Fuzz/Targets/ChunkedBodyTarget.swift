@testable import GoHubWire

extension FuzzTarget {
    /// A body in the chunked coding, whose end Wire finds. The first byte chooses how the rest is split.
    static let chunkedBody = FuzzTarget("chunkedBody", bytesMax: 20 * 1024) { bytes in
        var input = FuzzInput(bytes)
        let cut = input.byte()
        let stream = Array(input.rest)
        let whole = Reading([stream])
        try requireEqual(whole, Reading(stream.parts(cut: cut)), "a body is read alike however it is cut")
        try require(whole.taken <= stream.count, "no more is taken than is there")
        guard whole.isComplete else { return }
        try require(stream[..<whole.taken].suffix(2).elementsEqual("\r\n".utf8), "a body ends with an empty line")
        try requireEqual(Reading([Array(stream[..<whole.taken])]), whole, "what follows a body is not read")
    }

    private struct Reading: Equatable {
        var taken = 0
        var isComplete = false
        var isRefused = false

        init(_ parts: [[UInt8]]) {
            var body = ChunkedBody()
            for part in parts where !isRefused && !isComplete {
                do {
                    taken += try part.withUnsafeBytes { try body.take($0) }
                    isComplete = body.isComplete
                } catch {
                    // The number of bytes consumed before the error depends on the split.
                    (taken, isRefused) = (0, true)
                }
            }
        }
    }
}
