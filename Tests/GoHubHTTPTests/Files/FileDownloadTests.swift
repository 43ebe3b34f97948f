import Foundation
import Glibc
import GoHubCore
import GoHubTestSupport
import HTTPTypes
import HummingbirdTesting
import Testing

@testable import GoHubHTTP

/// Downloads without sockets: the answers for each user, and how a browser shows them.
@Suite struct FileDownloadTests {
    private let bytes = noise(200_000)

    @Test func aFileAsAWhole() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.file(bytes, "room=lobby&name=a.bin")
            for method in [HTTPRequest.Method.get, .head] {
                let response = try await fixture.send(method, path, as: FileAPIFixture.reader)
                #expect(response.status == .ok)
                #expect(response.bytes == (method == .get ? bytes : []))
                let headers = response.headers
                #expect(headers[.contentLength] == "200000" && headers[.acceptRanges] == "bytes")
                #expect(headers[.contentType] == "application/octet-stream")
                #expect(headers[.eTag] == "\"\(FileAPIFixture.hex(bytes))\"")
                #expect(headers[.lastModified] == "Thu, 01 Jan 2026 00:00:00 GMT")
                #expect(headers[.contentDisposition] == #"attachment; filename="a.bin"; filename*=UTF-8''a.bin"#)
                #expect(headers[.xContentTypeOptions] == "nosniff")
                #expect(headers[.contentSecurityPolicy] == "sandbox; default-src 'none'")
                #expect(headers[.crossOriginResourcePolicy] == "same-origin")
                #expect(headers[.cacheControl] == "private, no-cache")
            }
        }
    }

    @Test func onlyWhatRunsNothingIsShown() async throws {
        try await FileAPIFixture.run { fixture in
            let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
            for (name, bytes, type, disposition) in [
                ("a.html", png, "image/png", "inline"),
                ("a.png", Array("<script>alert(1)</script>".utf8), "text/plain; charset=utf-8", "inline"),
                ("a.svg", Array("<svg onload='x()'/>".utf8), "text/plain; charset=utf-8", "inline"),
                ("a.pdf", Array("%PDF-1.7".utf8), "application/pdf", "attachment"),
                ("a.js", [0, 1, 2], "application/octet-stream", "attachment"),
            ] as [(String, [UInt8], String, String)] {
                // Regardless of the type that the sender states.
                let response = try await fixture.post(
                    bytes, "room=lobby&name=\(name)", [(.contentType, "text/html")])
                let path = try #require(response.headers[.location])
                let file = try await fixture.send(.get, path)
                #expect(file.headers[.contentType] == type)
                #expect(file.headers[.contentDisposition]?.hasPrefix(disposition + ";") == true)
                let saved = try await fixture.send(.get, path + "?download")
                #expect(saved.headers[.contentDisposition]?.hasPrefix("attachment;") == true)
            }
        }
    }

    @Test func aRangeOfIt() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.file(bytes)
            let part = try await fixture.send(.get, path, [(.range, "bytes=100-70099")])
            #expect(part.status == .partialContent && part.bytes == Array(bytes[100..<70_100]))
            #expect(part.headers[.contentRange] == "bytes 100-70099/200000")
            #expect(part.headers[.contentLength] == "70000")
            let end = try await fixture.send(.get, path, [(.range, "bytes=-5")])
            #expect(end.bytes == Array(bytes.suffix(5)))
            // RFC 9110, section 14.2: a HEAD request ignores Range.
            let head = try await fixture.send(.head, path, [(.range, "bytes=0-0")])
            #expect(head.status == .ok && head.headers[.contentLength] == "200000")
            let none = try await fixture.send(.get, path, [(.range, "bytes=200000-")])
            #expect(none.status == .rangeNotSatisfiable && none.headers[.contentRange] == "bytes */200000")
            // Section 13.1.5.
            let tag = "\"\(FileAPIFixture.hex(bytes))\""
            let same = try await fixture.send(.get, path, [(.range, "bytes=0-0"), (.ifRange, tag)])
            #expect(same.status == .partialContent)
            let other = try await fixture.send(.get, path, [(.range, "bytes=0-0"), (.ifRange, "\"x\"")])
            #expect(other.status == .ok && other.bytes == bytes)
        }
    }

    /// RFC 9110, section 14.6.
    @Test func severalRanges() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.file(bytes)
            let response = try await fixture.send(.get, path, [(.range, "bytes=0-1,100-102")])
            #expect(response.status == .partialContent && response.headers[.contentRange] == nil)
            let type = try #require(response.headers[.contentType])
            let boundary = try #require(type.split(separator: "\"").dropFirst().first)
            #expect(type == "multipart/byteranges; boundary=\"\(boundary)\"")
            func head(_ range: String) -> [UInt8] {
                Array(
                    ("\r\n--\(boundary)\r\nContent-Type: application/octet-stream\r\n"
                        + "Content-Range: bytes \(range)/200000\r\n\r\n").utf8)
            }
            let expected =
                head("0-1") + bytes[0..<2] + head("100-102") + bytes[100..<103]
                + Array("\r\n--\(boundary)--\r\n".utf8)
            #expect(response.bytes == expected)
            #expect(response.headers[.contentLength] == "\(expected.count)")
        }
    }

    @Test func unmodifiedFileIs304() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.file(bytes)
            let tag = "\"\(FileAPIFixture.hex(bytes))\""
            let same = try await fixture.send(.get, path, [(.ifNoneMatch, "W/\(tag)")])
            #expect(same.status == .notModified && same.bytes.isEmpty && same.headers[.eTag] == tag)
            let date = try await fixture.send(.get, path, [(.ifModifiedSince, "Thu, 01 Jan 2026 00:00:00 GMT")])
            #expect(date.status == .notModified)
            let failed = try await fixture.send(.get, path, [(.ifMatch, "\"x\"")])
            #expect(failed.status == .preconditionFailed)
            let range = try await fixture.send(.get, path, [(.ifNoneMatch, "\"x\""), (.range, "bytes=0-0")])
            #expect(range.status == .partialContent)
        }
    }

    /// The status has been sent by then, so the client notices by the length, and only the log has the reason.
    @Test func truncatedFileIsReportedToOperator() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.file(bytes)
            let folder = "\(fixture.directory)/blobs"
            let blobs = try FileManager.default.subpathsOfDirectory(atPath: folder)
            let blob = try #require(blobs.first { $0.contains(FileAPIFixture.hex(bytes)) })
            #expect(truncate("\(folder)/\(blob)", 100_000) == 0)
            await #expect(throws: FileError.self) { _ = try await fixture.send(.get, path) }
            #expect(fixture.complaints.all.count == 1)
            #expect(fixture.complaints.all.first?.hasPrefix("a download was aborted (corrupt): ") == true)
        }
    }

    // MARK: Permissions

    @Test func userWithoutReadPermissionLearnsNothing() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.file(bytes)
            let nothing = "/v1/files/\(FileID.random())"
            for token in [FileAPIFixture.stranger, FileAPIFixture.foreigner, "default/alice/"] {
                for (method, end) in [
                    (HTTPRequest.Method.get, ""), (.head, ""), (.delete, ""), (.get, "/info"), (.post, "/url"),
                ] {
                    let one = try await fixture.send(method, path + end, as: token)
                    let other = try await fixture.send(method, nothing + end, as: token)
                    #expect(one.status == .notFound && one.text == other.text && one.headers == other.headers)
                }
            }
            fixture.hub.withState { $0.revokedPermissions = [.named("carol"): .all] }
            #expect(try await fixture.send(.get, path, as: FileAPIFixture.reader).status == .notFound)
            // A muted user can still read.
            fixture.hub.withState { $0.revokedPermissions = [.named("carol"): .write] }
            #expect(try await fixture.send(.get, path, as: FileAPIFixture.reader).status == .ok)
            #expect(try await fixture.send(.get, path).bytes == bytes)
        }
    }

    @Test func ownerAndModeratorsMayDelete() async throws {
        try await FileAPIFixture.run { fixture in
            for token in [FileAPIFixture.alice, FileAPIFixture.moderator] {
                let path = try await fixture.file([1, 2])
                #expect(try await fixture.send(.delete, path, as: FileAPIFixture.bob).status == .forbidden)
                #expect(try await fixture.send(.delete, path, as: token).status == .noContent)
                #expect(try await fixture.send(.get, path).status == .notFound)
                #expect(try await fixture.send(.delete, path, as: token).status == .notFound)
            }
        }
    }

    @Test func linkIsValidWithoutTokenUntilExpiry() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.file(bytes)
            let response = try await fixture.send(.post, path + "/url", as: FileAPIFixture.reader)
            let json = try response.json()
            let url = try #require(json["url"] as? String)
            #expect(json["expiresAt"] as? Int64 == WallTime.ms(100_000).milliseconds)
            let file = try await fixture.send(.get, url, as: nil)
            #expect(file.status == .ok && file.bytes == bytes)
            #expect(file.headers[.cacheControl] == "private, max-age=100, immutable")
            #expect(file.headers[.crossOriginResourcePolicy] == "cross-origin")
            #expect(file.headers[.contentSecurityPolicy] == "sandbox; default-src 'none'")
            #expect(try await fixture.send(.get, url, as: nil, [(.range, "bytes=0-0")]).bytes == [bytes[0]])
            // The signature opens this file and no other.
            let other = try await fixture.file([1])
            for changed in [
                url.replacing(path, with: other), url.replacing("tenant=default", with: "tenant=elsewhere"),
                url.replacing("expires=", with: "expires=1"), url.replacing("signature=", with: "signature=A"),
                String(url.dropLast()), url.replacing("tenant=default&", with: ""),
            ] {
                #expect(try await fixture.send(.get, changed, as: nil).status == .forbidden, "\(changed)")
            }
            #expect(try await fixture.send(.delete, url, as: nil).status == .unauthorized)
            fixture.time.advance(by: .seconds(100))
            #expect(try await fixture.send(.get, url, as: nil).status == .forbidden)
        }
    }
}
