import Foundation
import GoHubCore
import GoHubTestSupport
import Testing

@testable import gohubd

/// A file has the same name however it was uploaded, and every user has their own.
@Suite(.serialized) struct FileNamesTests {
    private static let names = [
        "report final.pdf", "a+b.pdf", "a + b.pdf", "100%.txt", "50%25.txt", "%2B literal.txt", "it's \"quoted\".txt",
        "a/b/c.txt", "back\\slash.txt", "..hidden.", "🎉👩‍👩‍👧.png", "עברית قائمة.txt", "exe\u{202E}gpj.exe",
        "nul\0name.txt", "a&b=c;d#e?.txt", "e\u{301}.txt", "line\r\nbreak.txt", "~-_.!*'()", "",
        String(repeating: "ä", count: 300) + ".tar.gz",
    ]

    /// The ways to encode a query value: `encodeURIComponent`, and `URLSearchParams`, which writes `+` for a space.
    private static let encodings: [@Sendable (String) -> String] = [
        { encode($0, plain: "-_.!~*'()") }, { encode($0, plain: "*-._").replacing("%20", with: "+") },
    ]

    private static func encode(_ text: String, plain: String) -> String {
        text.utf8.map { byte in
            let isPlain =
                UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || plain.utf8.contains(byte)
                || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
            return isPlain ? String(UnicodeScalar(byte)) : String(format: "%%%02X", byte)
        }.joined()
    }

    private struct Hub {
        let process: GohubdProcess
        let port: UInt16

        init() throws {
            process = try GohubdProcess(["serve", "--listen", "127.0.0.1:0", "--store", "memory"])
            let log = try process.waitFor("To leave this mode")
            let listen = try #require(log.firstRange(of: "listen=127.0.0.1:"))
            port = try #require(UInt16(log[listen.upperBound...].prefix { $0.isNumber }))
        }

        /// - Returns: the head and the body of the answer.
        func ask(_ line: String, _ body: [UInt8] = []) throws -> (head: String, body: [UInt8]) {
            let client = try BlockingClient(port: port)
            let head =
                "\(line) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n"
            client.sendAll(Array(head.utf8) + body)
            let answer = client.read(until: [])
            let end = try #require(answer.firstRange(of: Array("\r\n\r\n".utf8)))
            return (String(decoding: answer[..<end.lowerBound], as: UTF8.self), Array(answer[end.upperBound...]))
        }

        func json(_ line: String, _ body: [UInt8] = []) throws -> [String: Any] {
            let answer = try ask(line, body)
            return try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
        }

        /// The name under which a browser would save a file (RFC 8187, section 3.2).
        func savedName(_ id: String, _ query: String = "") throws -> String {
            let head = try ask("GET /v1/files/\(id)?download\(query)").head
            let field = try #require(head.firstRange(of: "filename*=UTF-8''"))
            return try #require(head[field.upperBound...].prefix { $0 != "\r\n" }.description.removingPercentEncoding)
        }
    }

    /// Names as bytes: two encodings of one character are two names.
    private func expect(_ name: String?, is expected: String, _ what: String) {
        #expect(name.map { Array($0.utf8) } == Array(expected.utf8), "\(what)")
    }

    @Test func aNameThatWasSentOverHTTPComesBack() throws {
        let hub = try Hub()
        defer { hub.process.signal(SIGKILL) }
        for name in Self.names {
            let expected = FileName(cleaning: name).value
            for encode in Self.encodings {
                let written = encode(name)
                let file = try hub.json("POST /v1/files?room=lobby&name=\(written)", [1])
                expect(file["name"] as? String, is: expected, written)
                let id = try #require(file["id"] as? String)
                expect(try hub.json("GET /v1/files/\(id)/info")["name"] as? String, is: expected, written)
                expect(try hub.savedName(id), is: expected, written)
            }
        }
    }

    @Test func aNameThatWasSentInBinaryMessagesComesBack() async throws {
        let hub = try Hub()
        defer { hub.process.signal(SIGKILL) }
        let client = try WebSocketTestClient(port: hub.port)
        try await client.open()
        try await client.hello("guest")
        try await client.join("lobby")
        for (index, name) in Self.names.enumerated() {
            let upload = try JSONSerialization.data(withJSONObject: [
                "op": "upload", "id": "u\(index)", "room": "lobby", "name": name, "size": 1,
            ])
            try await client.send(String(decoding: upload, as: UTF8.self))
            let transfer: Int = try #require(try await client.expect("uploadReady")["transfer"])
            let part = transferChunk(UInt32(transfer), at: 0, [1])
            try await client.write(WebSocketTestClient.frame(2, part))
            var event = try await client.expectAny(["uploadProgress", "uploaded"])
            while event.op != "uploaded" { event = try await client.expectAny(["uploadProgress", "uploaded"]) }
            let file = try #require(event.fields["file"] as? [String: Any])
            let expected = FileName(cleaning: name).value
            expect(file["name"] as? String, is: expected, name)
            expect(try hub.savedName(try #require(file["id"] as? String)), is: expected, name)
        }
    }

    /// In development mode the query names the user, and a direct conversation is named for its users.
    @Test func userIDsWithSpacesDecodeConsistently() throws {
        let hub = try Hub()
        defer { hub.process.signal(SIGKILL) }
        for (user, room) in [("Alice Smith", "dm:Alice Smith:bob"), ("C++ fan", "dm:C++ fan:bob")] {
            for encode in Self.encodings {
                let query = "room=\(encode(room))&user=\(encode(user))"
                let file = try hub.json("POST /v1/files?\(query)", [1])
                #expect(file["owner"] as? String == user)
                #expect(file["room"] as? String == room)
                let id = try #require(file["id"] as? String)
                expect(try hub.savedName(id, "&user=\(encode(user))"), is: "file", user)
            }
        }
    }
}
