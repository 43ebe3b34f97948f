import Testing

@testable import GoHubCore

/// The two encodings of a token: base64url and JSON.
struct TokenEncodingTests {
    /// RFC 4648 section 10, without padding, and the two characters in which base64url differs.
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"), ("~~~???", "fn5-Pz8_"),
    ])
    func base64URLVectors(plain: String, encoded: String) {
        #expect(Base64URL.encode(plain.utf8) == encoded)
        #expect(Base64URL.decode(encoded.utf8) == [UInt8](plain.utf8))
    }

    @Test(arguments: ["Z", "Zh", "Zm9", "Zg==", "Zg=", "Zm9vY", "Zm 9v", "Zm9v\n", "fn5+Pz8/", "Zmé", "\0\0\0\0"])
    func invalidBase64URLIsRefused(text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }

    @Test func everyByteRoundTrips() {
        let bytes = [UInt8](0...255)
        for count in 0...bytes.count {
            #expect(Base64URL.decode(Base64URL.encode(bytes.prefix(count)).utf8) == [UInt8](bytes.prefix(count)))
        }
    }

    @Test func jsonValues() throws {
        let text =
            #" { "a" : [ 1 , -2.5e+1, 0, true, false, null ], "b":{}, "c":[], "d":"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00" } "#
        let expected: [String: TokenJSON] = [
            "a": .array([.number(1), .number(-25), .number(0), .bool(true), .bool(false), .null]),
            "b": .object([:]), "c": .array([]), "d": .string("\"\\/\u{8}\u{C}\n\r\té😀"),
        ]
        #expect(try TokenJSON(parsing: [UInt8](text.utf8)) == .object(expected))
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "[1,]", "[,1]", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, "{a:1}", "{'a':1}", "[1 2]",
        "tru", "truex", "nul", "True", "1 1", "-", "--1", "00", "1e", "1.e1", "0x1", "nan", #"""#, #""\x""#, #""\u12""#,
        #""\u12G4""#, #""\uD800""#, #""\uD800\u0041""#, #""\uDC00""#, "\"\n\"", "\"\t\"", #"{"a":1,"a":1}"#,
        #"{"a":1,"\u0061":1}"#, "1//", "/**/1", "\u{FEFF}1", "\u{A0}1", "1e400",
    ])
    func invalidJSONIsRefused(text: String) {
        #expect(throws: TokenJSON.Malformed.self) { try TokenJSON(parsing: [UInt8](text.utf8)) }
    }

    @Test func stringsMustBeUTF8() {
        for bytes in [[0xC0, 0x80], [0xFF], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF5, 0x80, 0x80, 0x80]] as [[UInt8]] {
            #expect(throws: TokenJSON.Malformed.self) { try TokenJSON(parsing: [0x22] + bytes + [0x22]) }
        }
    }

    @Test func everyPrefixOfADocumentIsRefused() throws {
        let document = [UInt8](#"{"a":[1.5e3,"\u00e9\uD83D\uDE00",true,null],"b":{"c":false}}"#.utf8)
        _ = try TokenJSON(parsing: document)
        for count in 0..<document.count {
            #expect(throws: TokenJSON.Malformed.self) { try TokenJSON(parsing: [UInt8](document.prefix(count))) }
        }
    }
}
