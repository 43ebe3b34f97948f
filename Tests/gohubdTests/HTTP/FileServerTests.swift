import Crypto
import Foundation
import Glibc
import GoHubCore
import GoHubTestSupport
import Testing

@testable import gohubd

/// Files through the program itself: real sockets, a real disk, and kills.
@Suite(.serialized) struct FileServerTests {
    /// A hub with its messages and files in a folder of its own, removed after the test.
    private final class Server {
        let directory: String
        private(set) var process: GohubdProcess
        private(set) var port: UInt16 = 0
        private let settings: [String]

        init(_ settings: [String] = []) throws {
            directory =
                FileManager.default.temporaryDirectory
                .appendingPathComponent("gohubd-file-server-\(UInt64.random(in: .min ... .max))").path
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            self.settings = settings
            (process, port) = try Self.start(directory, settings)
        }

        deinit {
            process.signal(SIGKILL)
            _ = process.finish()
            try? FileManager.default.removeItem(atPath: directory)
        }

        private static func start(_ directory: String, _ settings: [String]) throws -> (GohubdProcess, UInt16) {
            let process = try GohubdProcess(
                ["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:\(directory)/hub.sqlite"]
                    + settings.flatMap { ["--set", $0] }, environment: ["TMPDIR": directory])
            let log = try process.waitFor("To leave this mode")
            let listen = try #require(log.firstRange(of: "listen=127.0.0.1:"))
            #expect(log.contains("files=\(directory)/hub.sqlite-files"))
            return (process, try #require(UInt16(log[listen.upperBound...].prefix { $0.isNumber })))
        }

        func kill() {
            process.signal(SIGKILL)
            #expect(process.finish().code == 128 + SIGKILL)
        }

        func restart() throws {
            (process, port) = try Self.start(directory, settings)
        }

        /// Waits until this many bytes of an upload are on the disk.
        func waitForUpload(_ path: String, bytes: Int) throws {
            let name = try #require(path.split(separator: "/").last)
            var status = stat()
            for _ in 0..<6_000 {
                if stat("\(directory)/hub.sqlite-files/uploads/\(name)", &status) == 0, status.st_size == bytes {
                    return
                }
                usleep(10_000)
            }
            Issue.record("\(bytes) bytes were never stored, but \(status.st_size)")
        }

        func client() throws -> BlockingClient { try BlockingClient(port: port) }
    }

    private struct Answer {
        var status: Int
        var fields: [String: String] = [:]
        var body: [UInt8] = []

        /// - Parameter bytes: a whole answer, up to the end of its connection.
        init(_ bytes: [UInt8]) throws {
            let end = try #require(bytes.firstRange(of: Array("\r\n\r\n".utf8)))
            let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
            status = try #require(lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) })
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                guard parts.count == 2 else { continue }
                fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
            body = Array(bytes[end.upperBound...])
        }
    }

    private func head(_ line: String, _ fields: [String] = [], length: Int = 0) -> [UInt8] {
        Array(
            (["\(line) HTTP/1.1", "Host: 127.0.0.1", "Connection: close", "Content-Length: \(length)"] + fields)
                .joined(separator: "\r\n").utf8) + Array("\r\n\r\n".utf8)
    }

    private func ask(
        _ server: Server, _ line: String, _ fields: [String] = [], _ body: [UInt8] = []
    ) throws -> Answer {
        let client = try server.client()
        client.sendAll(head(line, fields, length: body.count) + body)
        return try Answer(client.read(until: []))
    }

    private func part(_ offset: Int) -> [String] {
        ["Content-Type: application/partial-upload", "Upload-Complete: ?1", "Upload-Offset: \(offset)"]
    }

    // MARK: -

    @Test func interimResponsesAnnounceUploadURL() throws {
        let server = try Server()
        for version in ["8", "6", "3"] {
            let client = try server.client()
            let isOld = version == "3"
            client.sendAll(
                head(
                    "POST /v1/files?room=lobby&id=v\(version)",
                    [
                        "Upload-Draft-Interop-Version: \(version)",
                        isOld ? "Upload-Incomplete: ?0" : "Upload-Complete: ?1",
                    ],
                    length: 3))
            // Before a byte of the body is sent.
            let interim = try Answer(client.read(until: Array("\r\n\r\n".utf8)))
            #expect(interim.status == 104)
            #expect(interim.fields["upload-draft-interop-version"] == version)
            #expect(interim.fields["upload-limit"]?.hasPrefix("max-size=104857600, max-age=") == true)
            let location = try #require(interim.fields["location"])
            #expect(location.hasPrefix("/v1/uploads/"))
            client.sendAll([1, 2, 3])
            let answer = try Answer(client.read(until: []))
            #expect(answer.status == 201)
            #expect(answer.fields["location"] == location.replacingOccurrences(of: "uploads", with: "files"))
        }
        // A client that doesn't request them, or requests another iteration of the draft, gets none.
        for fields in [[], ["Upload-Draft-Interop-Version: 99"]] {
            #expect(try ask(server, "POST /v1/files?room=lobby", fields, [1]).status == 201)
        }
    }

    /// RFC 9110, section 10.1.1.
    @Test func expectContinueIsAnswered() throws {
        let server = try Server()
        let client = try server.client()
        client.sendAll(head("POST /v1/files?room=lobby", ["Expect: 100-continue"], length: 1))
        #expect(try Answer(client.read(until: Array("\r\n\r\n".utf8))).status == 100)
        client.sendAll([1])
        #expect(try Answer(client.read(until: [])).status == 201)
        let other = try server.client()
        other.sendAll(head("POST /v1/files", ["Expect: 100-continue"], length: 1))
        #expect(try Answer(other.read(until: Array("}".utf8))).status == 400)
    }

    @Test func truncatedBodyKeepsReceivedBytes() throws {
        let server = try Server()
        let bytes = noise(1_000_000)
        let begun = try ask(
            server, "POST /v1/files?room=lobby", ["Upload-Complete: ?0", "Upload-Length: \(bytes.count)"])
        let path = try #require(begun.fields["location"])
        do {
            let client = try server.client()
            client.sendAll(head("PATCH \(path)", part(0), length: bytes.count) + bytes[..<333_333])
        }
        // The connection is gone, and its bytes are stored a moment later. An earlier request would end the storing.
        try server.waitForUpload(path, bytes: 333_333)
        let state = try ask(server, "HEAD \(path)")
        #expect(state.fields["upload-offset"] == "333333" && state.fields["upload-complete"] == "?0")
        let answer = try ask(server, "PATCH \(path)", part(333_333), Array(bytes[333_333...]))
        #expect(answer.status == 201)
        let file = try ask(server, "GET \(try #require(answer.fields["location"]))")
        #expect(file.body == bytes)
    }

    @Test func endlessBodyIsAborted() throws {
        let server = try Server(["http.idleTimeoutMs=1000"])
        let begun = try ask(server, "POST /v1/files?room=lobby", ["Upload-Complete: ?0", "Upload-Length: 10"])
        let path = try #require(begun.fields["location"])
        let client = try server.client()
        client.sendAll(head("PATCH \(path)", part(0), length: 10) + [1, 2, 3])
        // The hub closes it.
        #expect(client.read(until: []).isEmpty)
        try server.waitForUpload(path, bytes: 3)
        #expect(try ask(server, "HEAD \(path)").fields["upload-offset"] == "3")
    }

    @Test func aFileThatIsLargerThanAnyBodyAndTooLargeOnesAreToldApart() throws {
        let server = try Server(["files.bytesMax=1000000"])
        let bytes = noise(1_000_000)
        #expect(try ask(server, "POST /v1/files?room=lobby", [], bytes).status == 201)
        #expect(try ask(server, "POST /v1/files?room=lobby", [], bytes + [1]).status == 413)
        // In chunks, without an announced total.
        let client = try server.client()
        client.sendAll(
            Array(
                ("POST /v1/files?room=lobby HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n").utf8))
        #expect(try Answer(client.read(until: [])).status == 411)
        // Other routes keep their limit.
        let other = try server.client()
        other.sendAll(head("POST /v1/filesX", length: bytes.count) + bytes)
        let answer = other.read(until: [])
        if !answer.isEmpty { #expect(try Answer(answer).status == 404) }
    }

    /// Killed in the middle of a part, again and again, after a random number of bytes.
    @Test func killKeepsStoredBytesOfUpload() throws {
        let server = try Server()
        let bytes = noise(8_000_000)
        let begun = try ask(
            server, "POST /v1/files?room=lobby&sha256=\(hex(bytes))",
            ["Upload-Complete: ?0", "Upload-Length: \(bytes.count)"])
        let path = try #require(begun.fields["location"])
        var offset = 0
        var kills = 0
        while kills < 6 {
            let client = try server.client()
            let end = min(bytes.count - 1, offset + Int.random(in: 1...1_500_000))
            client.sendAll(head("PATCH \(path)", part(offset), length: bytes.count - offset) + bytes[offset..<end])
            usleep(UInt32.random(in: 0...30_000))
            server.kill()
            kills += 1
            try server.restart()
            let state = try ask(server, "HEAD \(path)")
            #expect(state.status == 204)
            let stored = try #require(state.fields["upload-offset"].flatMap { Int($0) })
            // Never less than before, never more than was sent.
            #expect((offset...end).contains(stored))
            offset = stored
        }
        let answer = try ask(server, "PATCH \(path)", part(offset), Array(bytes[offset...]))
        // The hash was announced: a mismatch is refused.
        #expect(answer.status == 201)
        let location = try #require(answer.fields["location"])
        #expect(try ask(server, "GET \(location)").body == bytes)
        server.kill()
        try server.restart()
        #expect(try ask(server, "GET \(location)").body == bytes)
        #expect(try ask(server, "DELETE \(location)").status == 204)
        #expect(try ask(server, "GET \(location)").status == 404)
    }

    /// The same in binary messages, by a client that resumes as the protocol specifies.
    @Test func killKeepsStoredBytesOfTransfer() async throws {
        let server = try Server()
        let bytes = noise(3_000_000)
        let upload =
            #"{"op":"upload","id":"u","room":"lobby","name":"a.bin","size":\#(bytes.count),"#
            + #""sha256":"\#(hex(bytes))"}"#
        var stored = 0
        for kills in 0... {
            let client = try WebSocketTestClient(port: server.port)
            try await client.open()
            try await client.hello("guest")
            try await client.join("lobby")
            try await client.send(upload)
            var event = try await client.expect("uploadReady")
            #expect(try #require(event["offset"] as Int?) >= stored, "what was stored stays")
            let transfer: Int = try #require(event["transfer"])
            let end = kills == 4 ? bytes.count : min(bytes.count - 1, stored + Int.random(in: 1...900_000))
            var sent = 0
            while event.op != "uploaded", sent < end {
                stored = try #require(event["offset"])
                let credit: Int = try #require(event["credit"])
                sent = max(sent, stored)
                while sent < min(end, stored + credit) {
                    let next = min(end, stored + credit, sent + 50_000)
                    let part = transferChunk(UInt32(transfer), at: UInt64(sent), bytes[sent..<next])
                    try await client.write(WebSocketTestClient.frame(2, part))
                    sent = next
                }
                if sent < end || kills == 4 { event = try await client.expectAny(["uploadProgress", "uploaded"]) }
            }
            guard kills == 4 else {
                server.kill()
                try server.restart()
                continue
            }
            while event.op != "uploaded" { event = try await client.expectAny(["uploadProgress", "uploaded"]) }
            let file = try #require(event.fields["file"] as? [String: Any])
            #expect(try ask(server, "GET /v1/files/\(try #require(file["id"] as? String))").body == bytes)
            return
        }
    }

    /// 24 by 16 pixels, of colours.
    private static let image = [UInt8](
        Data(
            base64Encoded:
                "iVBORw0KGgoAAAANSUhEUgAAABgAAAAQCAIAAACDRijCAAACaklEQVR42g3MkQIFIRBA0TAMB8NwMAzDcDAMw8GLi4uLi4uL"
                + "+3nvnQ84IQRiIAUkkAMloIEaaIEeGAELzMAK7IAHCByBM3AF7sATeANfIIRIjKSIRHKkRDRSIy3SIyNikRlZkR3xCJEjckau"
                + "yB15Im/ki/8oERMpIYmcKAlN1ERL9MRIWGImVmInPEHiSJyJK3EnnsSb+NI/EqKQBBGyUAQVqtCELgzBhCksYQsuIBzCKVzC"
                + "LTzCK3zyjzIxkzKSyZmS0UzNtEzPjIxlZmZldsYzZI7Mmbkyd+bJvJkv/6NCLKSCFHKhFLRQC63QC6NghVlYhV3wAoWjcBau"
                + "wl14Cm/hK/9IiUpSRMlKUVSpSlO6MhRTprKUrbiCciincim38iiv8uk/qsRKqkglV0pFK7XSKr0yKlaZlVXZFa9QOSpn5arc"
                + "lafyVr76jxqxkRrSyI3S0EZttEZvjIY1ZmM1dsMbNI7G2bgad+NpvI2v/aNO7KSOdHKndLRTO63TO6NjndlZnd3xDp2jc3au"
                + "zt15Om/n6/9oEAdpIIM8KAMd1EEb9MEY2GAO1mAPfMDgGJyDa3APnsE7+MY/MqKRDDGyUQw1qtGMbgzDjGksYxtuYBzGaVzG"
                + "bTzGa3z2jyZxkiYyyZMy0UmdtEmfjIlN5mRN9sQnTI7JObkm9+SZvJNv/qNFXKSFLPKiLHRRF23RF2Nhi7lYi73wBYtjcS6u"
                + "xb14Fu/iW/9oEzdpI5u8KRvd1E3b9M3Y2GZu1mZvfMPm2Jyba3Nvns27+fY/cqKTHHGyUxx1qtOc7gzHnOksZzvu4BzO6VzO"
                + "7TzO63zOD64CpBAF2/vGAAAAAElFTkSuQmCC") ?? Data())

    @Test func previewExistsWhenUploadIsAnswered() throws {
        let server = try Server()
        let answer = try ask(server, "POST /v1/files?room=lobby&name=a.png", [], Self.image)
        #expect(answer.status == 201)
        let told = String(decoding: answer.body, as: UTF8.self)
        #expect(told.contains(#""height":16"#) && told.contains(#""width":24"#) && told.contains(#""preview":true"#))
        #expect(told.contains(#""placeholder":""#))
        let location = try #require(answer.fields["location"])
        let preview = try ask(server, "GET \(location)/preview")
        #expect(preview.status == 200)
        #expect(preview.fields["content-type"] == "image/webp")
        #expect(preview.fields["content-security-policy"]?.contains("sandbox") == true)
        #expect(Array(preview.body.prefix(4)) == Array("RIFF".utf8))
        let tag = try #require(preview.fields["etag"])
        #expect(try ask(server, "GET \(location)/preview", ["If-None-Match: \(tag)"]).status == 304)
        #expect(try ask(server, "GET \(location)/preview", ["If-Match: \"x\""]).status == 412)
        // The same bytes again get the same preview, and other files get none.
        let again = try ask(server, "POST /v1/files?room=lobby&name=b.png", [], Self.image)
        let other = try #require(again.fields["location"])
        #expect(try ask(server, "DELETE \(location)").status == 204)
        #expect(try ask(server, "GET \(location)/preview").status == 404)
        #expect(try ask(server, "GET \(other)/preview").body == preview.body)
        let text = try ask(server, "POST /v1/files?room=lobby", [], Array("text".utf8))
        #expect(try ask(server, "GET \(try #require(text.fields["location"]))/preview").status == 404)
        // A truncated image, and a bomb that claims too many pixels, are files without a preview.
        let bomb = Array(Self.image.prefix(16)) + [0x7F, 0xFF, 0xFF, 0xFF] + Array(Self.image.dropFirst(20))
        for bytes in [Array(Self.image.prefix(40)), bomb] {
            let broken = try ask(server, "POST /v1/files?room=lobby", [], bytes)
            #expect(broken.status == 201)
            #expect(!String(decoding: broken.body, as: UTF8.self).contains(#""image":"#))
        }
    }

    /// 64 MB up and down: neither is ever completely in memory.
    @Test func aLargeFileTakesLittleMemory() throws {
        let server = try Server()
        let megabyte = noise(1 << 20)
        let count = 64
        #expect(try ask(server, "POST /v1/files?room=lobby", [], megabyte).status == 201)
        let before = try server.process.memory("VmRSS")
        var hasher = SHA256()
        let client = try server.client()
        client.sendAll(head("POST /v1/files?room=lobby", length: count << 20))
        for _ in 0..<count {
            hasher.update(data: megabyte)
            client.sendAll(megabyte)
        }
        let answer = try Answer(client.read(until: []))
        #expect(answer.status == 201)
        #expect(String(decoding: answer.body, as: UTF8.self).contains("\"size\":\(count << 20)"))
        let location = try #require(answer.fields["location"])
        // One client that reads, and some that don't.
        let idle = try (0..<8).map { _ in
            let client = try server.client()
            client.sendAll(head("GET \(location)"))
            return client
        }
        let reader = try server.client()
        reader.sendAll(head("GET \(location)"))
        let start = reader.read(until: Array("\r\n\r\n".utf8))
        let headEnd = try #require(start.firstRange(of: Array("\r\n\r\n".utf8))).upperBound
        var received = SHA256()
        received.update(data: start[headEnd...])
        var total = start.count - headEnd
        while case let piece = reader.readSome(), !piece.isEmpty {
            received.update(data: piece)
            total += piece.count
        }
        #expect(total == count << 20)
        #expect(received.finalize() == hasher.finalize())
        let growth = try server.process.memory("VmHWM") - before
        #expect(growth < 32 << 20, "the hub grew by \(growth) bytes")
        withExtendedLifetime(idle) {}
    }

    /// A client that doesn't read its download occupies one of its slots, and is disconnected in the end.
    @Test func stalledDownloadLosesItsSlot() throws {
        let server = try Server(["files.userDownloadsMax=1", "files.downloadStallMs=1000"])
        // More than the sockets in between hold.
        let bytes = [UInt8](repeating: 7, count: 24 << 20)
        let path = try #require(
            try ask(server, "POST /v1/files?room=lobby&user=alice", [], bytes).fields["location"])
        let stalled = try server.client()
        stalled.sendAll(head("GET \(path)?user=alice"))
        let start = stalled.readSome()
        #expect(String(decoding: start.prefix(15), as: UTF8.self) == "HTTP/1.1 200 OK")
        let refused = try ask(server, "GET \(path)?user=alice")
        #expect(refused.status == 429 && refused.fields["retry-after"] == "10")
        #expect(String(decoding: refused.body, as: UTF8.self).contains(#""code":"rate_limited""#))
        // Requests without a slot are answered, and so are other users.
        #expect(try ask(server, "HEAD \(path)?user=alice").status == 200)
        #expect(try ask(server, "GET \(path)?user=bob", ["Range: bytes=0-0"]).status == 206)
        let link =
            try JSONSerialization.jsonObject(
                with: Data(try ask(server, "POST \(path)/url?user=alice").body)) as? [String: Any]
        let url = try #require(link?["url"] as? String)
        #expect(try ask(server, "GET \(url)", ["Range: bytes=0-0"]).status == 206, "a link has no user")
        // The hub closes it.
        for _ in 0..<6_000 {
            if try ask(server, "GET \(path)?user=alice", ["Range: bytes=0-0"]).status == 206 { break }
            usleep(10_000)
        }
        #expect(try ask(server, "GET \(path)?user=alice", ["Range: bytes=0-0"]).status == 206)
        #expect(start.count + stalled.read(until: []).count < bytes.count, "it was cut")
    }

    @Test func endedDownloadFreesSlot() throws {
        let server = try Server(["files.downloadsMax=2", "files.userDownloadsMax=1"])
        let path = try #require(try ask(server, "POST /v1/files?room=lobby&user=alice", [], [7]).fields["location"])
        let kept = try (0..<4).map { _ in
            let client = try server.client()
            client.sendAll(Array("GET \(path)?user=alice HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8))
            #expect(String(decoding: client.read(until: [7]).prefix(15), as: UTF8.self) == "HTTP/1.1 200 OK")
            return client
        }
        withExtendedLifetime(kept) {}
    }

    @Test func linkDownloadsPerAddressAreLimited() throws {
        let server = try Server(["files.addressDownloadsMax=1"])
        let path = try #require(
            try ask(server, "POST /v1/files?room=lobby", [], [UInt8](repeating: 7, count: 24 << 20)).fields["location"])
        let link = try JSONSerialization.jsonObject(with: Data(try ask(server, "POST \(path)/url").body))
        let url = try #require((link as? [String: Any])?["url"] as? String)
        let stalled = try server.client()
        stalled.sendAll(head("GET \(url)"))
        #expect(String(decoding: stalled.readSome().prefix(15), as: UTF8.self) == "HTTP/1.1 200 OK")
        #expect(try ask(server, "GET \(url)").status == 429)
        // The same address with a token, or a name.
        #expect(try ask(server, "GET \(path)?user=bob").status == 429)
        withExtendedLifetime(stalled) {}
    }

    /// In development mode the hub refuses a page of another origin, or of another host name that resolves to this
    /// machine.
    @Test func tokenlessModeRefusesForeignPages() throws {
        let server = try Server()
        for (host, origin, status) in [
            ("evil.example:\(server.port)", nil, 403), ("localhost:\(server.port)", nil, 201),
            ("localhost", "https://evil.example", 403), ("localhost", "null", 403),
            ("localhost:\(server.port)", "http://localhost:\(server.port)", 201),
        ] as [(String, String?, Int)] {
            let client = try server.client()
            var fields = [
                "POST /v1/files?room=lobby HTTP/1.1", "Host: \(host)", "Connection: close", "Content-Length: 1",
            ]
            if let origin { fields.append("Origin: \(origin)") }
            client.sendAll(Array((fields.joined(separator: "\r\n") + "\r\n\r\nx").utf8))
            #expect(try Answer(client.read(until: [])).status == status, "\(host) \(origin ?? "")")
        }
    }

    @Test func missingFolderTurnsFilesOff() throws {
        let process = try GohubdProcess(
            ["serve", "--listen", "127.0.0.1:0", "--store", "memory", "--set", "files.enabled=false"])
        let log = try process.waitFor("To leave this mode")
        #expect(log.contains("files=off"))
        let listen = try #require(log.firstRange(of: "listen=127.0.0.1:"))
        let port = try #require(UInt16(log[listen.upperBound...].prefix { $0.isNumber }))
        let client = try BlockingClient(port: port)
        client.sendAll(head("POST /v1/files?room=lobby", length: 1) + [1])
        #expect(try Answer(client.read(until: [])).status == 404)
        process.signal(SIGTERM)
        #expect(process.finish().code == 0)
    }
}

private func hex(_ bytes: [UInt8]) -> String { ContentHash(bytes: SHA256.hash(data: bytes))?.hex ?? "" }
