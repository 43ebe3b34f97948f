import Foundation
import GoHubTestSupport
import Testing

@testable import GoHubCore

struct JSONReaderTests {
    // MARK: Valid and invalid JSON

    @Test(arguments: [
        "{}", " { } ", "{\"a\":1}", "\t\r\n{\"a\" : [ ] , \"b\" : { } }\n", #"{"a":"\"\\\/\b\f\n\r\t\u0041"}"#,
        #"{"a":-0,"b":0.5,"c":1e9,"d":1E+9,"e":1.25e-9,"f":123456789012345678901234567890}"#,
        #"{"a":true,"b":false,"c":null}"#, #"{"a":[1,[2,[3]],{"b":[]}]}"#, #"{"":""}"#,
        #"{"a":"\uD83D\uDE00 \u00e9 😀"}"#, "{\"a\":\"\u{7F}\u{2028}\"}",
    ])
    func accepts(_ text: String) {
        #expect(isObject(text))
    }

    @Test(arguments: [
        "", " ", "1", "[]", "null", "\"a\"", "{", "}", "{}}", "{}{}", "{} x", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\" 1}",
        "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{a:1}", "{'a':1}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.1}", "{\"a\":-}",
        "{\"a\":+1}", "{\"a\":1e}", "{\"a\":1e+}", "{\"a\":0x1}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":tru}",
        "{\"a\":True}", "{\"a\":nul}", "{\"a\":truefalse}", "{\"a\":[1,]}", "{\"a\":[,1]}", "{\"a\":[1 2]}",
        "{\"a\":[1}",
        "{\"a\":[}]", "{\"a\":\"", "{\"a\":\"\\\"}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\u12G4\"}",
        "{\"a\":\"\n\"}", "{\"a\":\"\u{0}\"}", "{\"a\":\"\u{1F}\"}", "{\"a\":1}//", "/**/{}", "\u{FEFF}{}",
        "{\"a\":1\u{A0}}",
        #"{"a":"\uD83D"}"#, #"{"a":"\uDE00"}"#, #"{"a":"\uD83D\uD83D"}"#, #"{"a":"\uD83Dx"}"#, #"{"a":"\uD83D\n"}"#,
        #"{"\uD83D":1}"#, #"{"a":{"\uDE00":1}}"#,
    ])
    func refuses(_ text: String) {
        #expect(!isObject(text))
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC3], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF], [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func invalidUTF8IsRefused(_ bytes: [UInt8]) {
        let inValue = Array("{\"a\":\"".utf8) + bytes + Array("\"}".utf8)
        let inKey = Array("{\"".utf8) + bytes + Array("\":1}".utf8)
        let nested = Array("{\"a\":[{\"".utf8) + bytes + Array("\":1}]}".utf8)
        for text in [inValue, inKey, nested] { #expect(!isObject(text)) }
    }

    @Test func refusesEveryPrefixOfAnObject() {
        let text = Array(#"{"op":"send","n":-1.5e+7,"x":[true,null,{"k":"\uD83D\uDE00"}],"s":{"a":"b"}}"#.utf8)
        #expect(isObject(text))
        for length in 0..<text.count { #expect(!isObject(Array(text.prefix(length))), "first \(length) bytes") }
    }

    // MARK: Values

    @Test func readsStrings() throws {
        try reading(#""plain é 😀""#) { try #expect($0.readString() == "plain é 😀") }
        try reading(#""""#) { try #expect($0.readString().isEmpty) }
        try reading(#""\"\\\/\b\f\n\r\t""#) { try #expect($0.readString() == "\"\\/\u{8}\u{C}\n\r\t") }
        try reading(#""a\u0041\u00e9\u00E9\uFFFF\u0000z""#) {
            try #expect($0.readString() == "aA\u{E9}\u{E9}\u{FFFF}\u{0}z")
        }
        try reading(#""\uD83D\uDE00\uDBFF\uDFFF\uD800\uDC00""#) {
            try #expect($0.readString() == "\u{1F600}\u{10FFFF}\u{10000}")
        }
    }

    @Test(
        arguments: [
            ("0", 0), ("7", 7), ("18446744073709551615", .max),
        ] as [(String, UInt64)])
    func readsUnsigned(_ text: String, _ value: UInt64) throws {
        try reading(text) { try #expect($0.readUnsigned() == value) }
    }

    @Test(arguments: [
        "18446744073709551616", "99999999999999999999999", "-1", "-0", "1.0", "1e2", "\"1\"", "true", "null", "", "x",
    ])
    func refusesUnsigned(_ text: String) {
        #expect(throws: JSONReader.Failure.malformed) { try reading(text) { _ = try $0.readUnsigned() } }
    }

    // MARK: Depth

    @Test(arguments: [0, 1, 2, 8])
    func nestingDepthIsLimited(_ depth: Int) throws {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            func nested(_ depth: Int) -> String {
                String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
            }
            try reading(nested(depth), depthMax: depth) { try $0.skipValue() }
            #expect(throws: JSONReader.Failure.tooDeep) {
                try reading(nested(depth + 1), depthMax: depth) { try $0.skipValue() }
            }
        }
    }

    @Test func millionBracketsAreRefusedImmediately() {
        let text = "{\"a\":" + String(repeating: "[", count: 1_000_000)
        #expect(failure(text) == .tooDeep)
    }

    // MARK: Against Foundation

    /// Random JSON with random damage: this reader accepts exactly what Foundation's accepts.
    @Test(arguments: 0..<40)
    func agreesWithFoundation(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var accepted = 0
        for _ in 0..<100 {
            var text = Array(randomObject(&random, depth: 4).utf8)
            if !random.once(in: 3) { damage(&text, &random) }
            let isJSON = foundationAccepts(text)
            accepted += isJSON ? 1 : 0
            #expect(isObject(text) == isJSON, "seed \(seed): \(String(decoding: text, as: UTF8.self).debugDescription)")
        }
        #expect((20...99).contains(accepted), "the corpus holds both kinds")
    }

    private func foundationAccepts(_ text: [UInt8]) -> Bool {
        // Foundation guesses UTF-16 and UTF-32 from zero bytes. The protocol has only UTF-8.
        guard !text.contains(0), String(validating: text, as: UTF8.self) != nil else { return false }
        // It also accepts a comma before a closing brace, which RFC 8259, section 4, does not allow.
        let dense = text.filter { !" \n\r\t".utf8.contains($0) }
        guard !zip(dense, dense.dropFirst()).contains(where: { $0 == UInt8(ascii: ",") && $1 == UInt8(ascii: "}") })
        else { return false }
        return (try? JSONSerialization.jsonObject(with: Data(text))) is [String: Any]
    }

    private func randomObject(_ random: inout SeededRandom, depth: Int) -> String {
        let fields = (0..<Int.random(in: 0...4, using: &random)).map { index in
            let key = random.once(in: 8) ? #"\u00e9\n\#(index)"# : "key\(index)"
            return "\"\(key)\"\(space(&random)):\(space(&random))\(randomValue(&random, depth: depth))"
        }
        return "{\(space(&random))\(fields.joined(separator: ",\(space(&random))"))\(space(&random))}"
    }

    private func randomValue(_ random: inout SeededRandom, depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: return random.pick(["0", "-0", "12", "-7", "1.5", "-0.25", "1e5", "2E-3", "1.5e+2"]) ?? "0"
        case 1: return random.pick(["true", "false", "null"]) ?? "null"
        case 2: return "\"\""
        case 3: return #""text \" \\ \/ \n é 😀""#
        case 4: return #""\uD83D\uDE00 \u0041""#
        case 5: return "\(Int64.random(in: -1_000_000...1_000_000, using: &random))"
        case 6: return randomObject(&random, depth: depth - 1)
        default:
            let elements = (0..<Int.random(in: 0...3, using: &random)).map { _ in randomValue(&random, depth: depth - 1)
            }
            return "[\(elements.joined(separator: ","))]"
        }
    }

    private func space(_ random: inout SeededRandom) -> String {
        random.pick(["", "", "", " ", "\n", "\t \r"]) ?? ""
    }

    private func damage(_ text: inout [UInt8], _ random: inout SeededRandom) {
        let bytes = Array("{}[]\",:\\ue+-.0129tfn \n\u{1}é".utf8)
        let index = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: text.remove(at: index)
        case 1: text[index] = random.pick(bytes) ?? 0x20
        case 2: text.insert(random.pick(bytes) ?? 0x20, at: index)
        default: text.removeSubrange(index...)
        }
    }

    // MARK: Helpers

    private func isObject(_ text: String) -> Bool { isObject(Array(text.utf8)) }

    private func isObject(_ text: [UInt8]) -> Bool { failure(text) == nil }

    private func failure(_ text: String) -> JSONReader.Failure? { failure(Array(text.utf8)) }

    private func failure(_ text: [UInt8]) -> JSONReader.Failure? {
        text.withUnsafeBytes { bytes in
            var reader = JSONReader(bytes, depthMax: 16)
            do throws(JSONReader.Failure) {
                try reader.readObject { _, reader throws(JSONReader.Failure) in try reader.skipValue() }
                try reader.readEnd()
                return nil
            } catch {
                return error
            }
        }
    }

    private func reading(_ text: String, depthMax: Int = 8, _ body: (inout JSONReader) throws -> Void) throws {
        try Array(text.utf8).withUnsafeBytes { bytes in
            var reader = JSONReader(bytes, depthMax: depthMax)
            try body(&reader)
            try reader.readEnd()
        }
    }
}
