import Foundation
import GoHubTestSupport
import Testing

@testable import GoHubCore

struct JSONWriterTests {
    @Test func writesFieldsInOrder() {
        let text = write {
            $0.field("text", "value")
            $0.field("missing", nil as String?)
            $0.field("number", -7)
            $0.field("big", UInt64.max)
            $0.field("yes", true)
            $0.key("list")
            $0.array([1, 2]) { json, number in json.object { $0.field("n", number) } }
            $0.key("names")
            $0.array(["a", "b"]) { $0.string($1) }
            $0.key("empty")
            $0.array([] as [String]) { $0.string($1) }
            $0.key("object")
            $0.object { _ in }
            $0.field("no", false)
        }
        #expect(
            text == #"{"text":"value","number":-7,"big":18446744073709551615,"yes":true,"list":[{"n":1},{"n":2}],"#
                + #""names":["a","b"],"empty":[],"object":{},"no":false}"#)
    }

    @Test func escapesOnlyWhatJSONRequires() {
        let text = write { $0.field("t", "\"\\/\n\r\t\u{8}\u{0}\u{1F}\u{7F} <é😀\u{2028}>") }
        #expect(text == "{\"t\":\"\\\"\\\\/\\n\\r\\t\\u0008\\u0000\\u001f\u{7F} <é😀\u{2028}>\"}")
    }

    /// Every written value survives a round trip through another parser.
    @Test func everyStringRoundTrips() throws {
        var random = SeededRandom(seed: 7)
        for _ in 0..<500 {
            let scalars = (0..<Int.random(in: 0...20, using: &random)).compactMap { _ -> Unicode.Scalar? in
                let ranges: [ClosedRange<UInt32>] = [
                    0...0x7F, 0...0x7F, 0x80...0x7FF, 0x800...0xFFFF, 0x10000...0x10FFFF,
                ]
                return Unicode.Scalar(UInt32.random(in: ranges.randomElement(using: &random) ?? 0...0, using: &random))
            }
            var string = ""
            string.unicodeScalars.append(contentsOf: scalars)
            let text = write { $0.field("t", string) }
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: String]
            #expect(object.map { Array(($0["t"] ?? "").utf8) } == Array(string.utf8))
        }
    }

    /// Words of eight bytes, pairs of words, and remaining bytes are checked by different code.
    @Test func specialBytesAreFoundAtEveryIndex() throws {
        for special in Array(0...0x1F) + [0x22, 0x5C] as [UInt8] {
            for length in 1...42 {
                for place in 0..<length {
                    var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                    bytes[place] = special
                    let string = String(decoding: bytes, as: UTF8.self)
                    let json = write { $0.field("t", string) }
                    // One byte has become an escape of any form. The other bytes are unchanged.
                    let object = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String]
                    guard object?["t"] == string, json.utf8.contains(UInt8(ascii: "\\")) else {
                        Issue.record("byte \(special) at \(place) of \(length)")
                        return
                    }
                    let quoted = Array("\"".utf8) + bytes + Array("\"".utf8)
                    guard special < 0x20 else { continue }
                    // Unescaped, it is not valid JSON.
                    let isRefused = quoted.withUnsafeBytes { buffer in
                        var reader = JSONReader(buffer, depthMax: 1)
                        return (try? reader.readText()) == nil
                    }
                    #expect(isRefused, "byte \(special) at \(place) of \(length)")
                }
            }
        }
    }

    private func write(_ fields: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        writer.object(fields)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
