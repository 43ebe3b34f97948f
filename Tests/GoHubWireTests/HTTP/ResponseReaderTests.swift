import GoHubTestSupport
import Testing

@testable import GoHubWire

/// The end of a response: RFC 9112, section 6.3.
@Suite struct ResponseReaderTests {
    struct Reading: Equatable {
        var taken = 0
        var isComplete = false
        var isLast = false
    }

    private func read(_ parts: [[UInt8]], to method: String) -> Reading {
        var reader = ResponseReader(to: method)
        var taken = 0
        for part in parts {
            let count = part.withUnsafeBytes { reader.take($0) }
            taken += count
            guard count == part.count, !reader.isComplete else { break }
        }
        return Reading(taken: taken, isComplete: reader.isComplete, isLast: reader.isLast)
    }

    private func readInAllWays(_ text: String, to method: String) -> Reading {
        let bytes = Array(text.utf8)
        let whole = read([bytes], to: method)
        #expect(read(bytes.map { [$0] }, to: method) == whole)
        for seed in 0..<5 as Range<UInt64> {
            var numbers = SeededRandom(seed: seed)
            #expect(read(numbers.split(bytes, partBytesMax: 9), to: method) == whole, "split with seed \(seed)")
        }
        return whole
    }

    @Test(
        arguments: [
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
            ("GET", "HTTP/1.1 200 OK\r\ncontent-length:  5 \r\nConnection: Close\r\n\r\nhello", true),
            ("GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", true),
            ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false),
            ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false),
            ("GET", "HTTP/1.1 204 No Content\r\n\r\n", false),
            ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false),
            ("POST", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", false),
            ("PATCH", "HTTP/1.1 104 Upload Resumption Supported\r\nX: y\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false),
        ] as [(String, String, Bool)])
    func responseEndsAtItsLength(method: String, text: String, isLast: Bool) {
        let expected = Reading(taken: text.utf8.count, isComplete: true, isLast: isLast)
        #expect(readInAllWays(text, to: method) == expected)
        let more = readInAllWays(text + "HTTP/1.1 200 OK\r\n", to: method)
        #expect(more == expected)
        #expect(!readInAllWays(String(text.dropLast(1)), to: method).isComplete)
    }

    @Test(
        arguments: [
            "HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.1 101 Switching Protocols\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", "nothing like it\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone",
        ])
    func responseWithoutLengthEndsWithConnection(text: String) {
        #expect(readInAllWays(text, to: "GET") == Reading(taken: text.utf8.count, isComplete: false, isLast: true))
    }

    @Test func endlessHeadIsPassedOn() {
        let text = "HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 200_000)
        let reading = read([Array(text.utf8)], to: "GET")
        #expect(reading == Reading(taken: text.utf8.count, isComplete: false, isLast: true))
    }
}
