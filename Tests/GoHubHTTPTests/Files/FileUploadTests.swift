import GoHubCore
import GoHubStore
import GoHubTestSupport
import GoHubWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import GoHubHTTP

/// Uploads without sockets: the answers for each user.
@Suite struct FileUploadTests {
    private let bytes = noise(100_000)

    @Test func aFileInOneRequest() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let response = try await fixture.post(
                bytes, "room=lobby&name=..%2Fs%C3%BC%C3%9F.png&id=c1&sha256=\(FileAPIFixture.hex(bytes))")
            #expect(response.status == .created)
            let json = try response.json()
            #expect(json["name"] as? String == "süß.png" && json["owner"] as? String == "alice")
            #expect(json["room"] as? String == "lobby" && json["size"] as? Int == bytes.count)
            #expect(json["sha256"] as? String == FileAPIFixture.hex(bytes))
            #expect(json["type"] as? String == "application/octet-stream")
            #expect(json["createdAt"] as? Int64 == WallTime.ms(0).milliseconds)
            let id = try #require(json["id"] as? String)
            #expect(response.headers[.location] == "/v1/files/\(id)")
            let file = try await fixture.send(.get, "/v1/files/\(id)")
            #expect(file.bytes == bytes)
            let info = try await fixture.send(.get, "/v1/files/\(id)/info")
            #expect(info.text == response.text)
            // The answer was lost: repeating the request gives the same file.
            let again = try await fixture.post(bytes, "room=lobby&name=..%2Fs%C3%BC%C3%9F.png&id=c1")
            #expect(again.status == .created && again.text == response.text)
            let other = try await fixture.post([1], "room=lobby&name=x&id=c1")
            #expect(other.status == .conflict)
        }
    }

    @Test func aFileInParts() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.begin(size: bytes.count, Array(bytes[..<10]))
            let second = try await fixture.patch(path, Array(bytes[10..<50_000]), at: 10, isLast: false)
            #expect(second.status == .noContent && second.headers[.uploadOffset] == "50000")
            #expect(second.headers[.uploadComplete] == "?0")
            let state = try await fixture.send(.head, path)
            #expect(state.status == .noContent)
            #expect(state.headers[.uploadOffset] == "50000" && state.headers[.uploadComplete] == "?0")
            #expect(state.headers[.uploadLength] == "100000" && state.headers[.cacheControl] == "no-store")
            #expect(state.headers[.uploadLimit] == "max-size=104857600, max-age=86400")
            let last = try await fixture.patch(path, Array(bytes[50_000...]), at: 50_000, isLast: true)
            #expect(last.status == .created && last.headers[.uploadComplete] == "?1")
            let location = try #require(last.headers[.location])
            #expect(try await fixture.send(.get, location).bytes == bytes)
            // The upload is complete, and reports that.
            let done = try await fixture.send(.head, path)
            #expect(done.headers[.uploadComplete] == "?1" && done.headers[.uploadOffset] == "100000")
            #expect(done.headers[.location] == location)
            for more in [[], [1]] as [[UInt8]] {
                let gone = try await fixture.patch(path, more, at: 100_000, isLast: true)
                #expect(gone.status == .gone && gone.headers[.location] == location)
            }
        }
    }

    @Test func theLastPartMayBeEmpty() async throws {
        try await FileAPIFixture.run { fixture in
            let path = try await fixture.begin(size: 3, [1, 2, 3])
            let early = try await fixture.patch(path, [], at: 3, isLast: true)
            #expect(early.status == .created)
            // So may a file.
            #expect(try await fixture.post([], "room=lobby&id=empty").status == .created)
        }
    }

    @Test func repeatedRequestResumesUpload() async throws {
        try await FileAPIFixture.run { [bytes] fixture in
            let path = try await fixture.begin(size: bytes.count, Array(bytes[..<30_000]), "room=lobby&id=c1")
            // The whole upload again: existing bytes aren't stored twice.
            let response = try await fixture.post(bytes, "room=lobby&id=c1")
            #expect(response.status == .created)
            #expect(try response.json()["sha256"] as? String == FileAPIFixture.hex(bytes))
            #expect(path.hasSuffix(try #require(response.json()["id"] as? String)))
        }
    }

    // MARK: False claims

    @Test func wrongOffsetReturnsExpectedOne() async throws {
        try await FileAPIFixture.run { fixture in
            let path = try await fixture.begin(size: 10, [1, 2, 3])
            for offset in [0, 2, 4, 10, 11] {
                let response = try await fixture.patch(path, [1], at: offset, isLast: false)
                #expect(response.status == .conflict && response.headers[.uploadOffset] == "3")
            }
        }
    }

    @Test func lengthsThatContradictAreRefused() async throws {
        try await FileAPIFixture.run { fixture in
            let both = try await fixture.post([1, 2, 3], "room=lobby", [(.uploadLength, "4")])
            #expect(both.status == .badRequest)
            let path = try await fixture.begin(size: 10, [1, 2, 3])
            let other = try await fixture.patch(path, [1], at: 3, isLast: false, [(.uploadLength, "11")])
            #expect(other.status == .badRequest)
            // The part claims to be the last, and isn't.
            let short = try await fixture.patch(path, [1], at: 3, isLast: true)
            #expect(short.status == .badRequest)
            #expect(try await fixture.send(.head, path).headers[.uploadOffset] == "3")
            // More than announced: the bytes that fit are kept.
            let long = try await fixture.patch(path, [UInt8](repeating: 1, count: 8), at: 3, isLast: false)
            #expect(long.status == .badRequest)
            #expect(try await fixture.send(.head, path).headers[.uploadOffset] == "10")
        }
    }

    @Test func hashMismatchLeavesNothing() async throws {
        try await FileAPIFixture.run { fixture in
            let response = try await fixture.post([1], "room=lobby&id=c1&sha256=\(FileAPIFixture.hex([2]))")
            #expect(response.status == .unprocessableContent)
            #expect(
                try await fixture.post([2], "room=lobby&id=c1&sha256=\(FileAPIFixture.hex([2]))").status == .created)
        }
    }

    @Test func missingOrMalformedFieldsAreReported() async throws {
        try await FileAPIFixture.run { fixture in
            for query in [
                "", "room=", "room=Lobby", "room=..%2F..%2Fetc", "room=lobby%00", "room=lobby&id=",
                "room=lobby&id=a%0Ab",
                "room=lobby&sha256=0", "room=lobby&sha256=" + String(repeating: "g", count: 64),
                "room=lobby&id=" + String(repeating: "a", count: 65),
            ] {
                let response = try await fixture.post([1], query)
                #expect(response.status == .badRequest, "\(query)")
                #expect(response.text.contains(#""code":"bad_request""#))
            }
            let path = try await fixture.begin(size: 2, [1])
            let noType = try await fixture.send(
                .patch, path, [(.uploadOffset, "1"), (.uploadComplete, "?1")], [2])
            #expect(noType.status == .unsupportedMediaType)
            #expect(noType.headers[.acceptPatch] == "application/partial-upload")
            let type = (HTTPField.Name.contentType, "application/partial-upload")
            #expect(try await fixture.send(.patch, path, [type, (.uploadComplete, "?1")], [2]).status == .badRequest)
            #expect(try await fixture.send(.patch, path, [type, (.uploadOffset, "1")], [2]).status == .badRequest)
            let noLength = try await fixture.post([1], "room=lobby", [(.uploadComplete, "?0")])
            #expect(noLength.status == .lengthRequired)
        }
    }

    @Test func firstDraftVersionIsSupported() async throws {
        try await FileAPIFixture.run { fixture in
            let version = (HTTPField.Name.uploadDraftInteropVersion, "3")
            let begun = try await fixture.post(
                [1], "room=lobby", [version, (.uploadIncomplete, "?1"), (.uploadLength, "2")])
            #expect(begun.status == .created && begun.headers[.uploadIncomplete] == "?1")
            #expect(begun.headers[.uploadDraftInteropVersion] == "3" && begun.headers[.uploadComplete] == nil)
            let path = try #require(begun.headers[.location])
            let last = try await fixture.send(
                .patch, path, [version, (.uploadOffset, "1"), (.uploadIncomplete, "?0")], [2])
            #expect(last.status == .created && last.headers[.uploadIncomplete] == "?0")
        }
    }

    @Test func uploadLimitsAreAnnounced() async throws {
        try await FileAPIFixture.run { fixture in
            let response = try await fixture.send(.options, "/v1/files", as: nil)
            #expect(response.status == .noContent)
            #expect(response.headers[.acceptPatch] == "application/partial-upload")
            #expect(response.headers[.uploadLimit] == "max-size=104857600")
            let get = try await fixture.send(.get, "/v1/files")
            #expect(get.status == .methodNotAllowed && get.headers[.allow] == "POST, OPTIONS")
        }
    }

    @Test func fileLimitAndQuotaHaveDifferentErrors() async throws {
        let quotas = FileQuotas(fileBytesMax: 4_096, userBytesMax: 8_191, tenantBytesMax: 12_287)
        try await FileAPIFixture.run(quotas: quotas) { fixture in
            let tooLarge = try await fixture.post(noise(4_097))
            #expect(tooLarge.status == .contentTooLarge && tooLarge.text.contains(#""code":"too_large""#))
            #expect(try await fixture.post(noise(4_096)).status == .created)
            #expect(try await fixture.post(noise(4_096), as: FileAPIFixture.bob).status == .created)
            // The user's quota, and the tenant's.
            for token in [FileAPIFixture.alice, "default/erin/lobby:rw"] {
                let response = try await fixture.post(noise(4_096), as: token)
                #expect(response.status.code == 507 && response.text.contains(#""code":"too_large""#))
                #expect(response.headers[.retryAfter] == nil)
            }
        }
    }

    @Test func tooManyUploadsReturnRetryAfter() async throws {
        try await FileAPIFixture.run(quotas: FileQuotas(userUploadsMax: 1)) { fixture in
            let path = try await fixture.begin(size: 2)
            let response = try await fixture.post([1])
            #expect(response.status == .tooManyRequests && response.text.contains(#""code":"rate_limited""#))
            #expect(response.headers[.retryAfter] == "10")
            #expect(try await fixture.send(.delete, path).status == .noContent)
            #expect(try await fixture.post([1]).status == .created)
        }
    }

    // MARK: The fields' names

    @Test func everyFieldHasItsName() {
        let names: [HTTPField.Name] = [
            .uploadDraftInteropVersion, .uploadComplete, .uploadIncomplete, .uploadOffset, .uploadLength, .uploadLimit,
            .acceptPatch, .referrerPolicy, .secFetchSite,
        ]
        #expect(
            names.map(\.rawName) == [
                "Upload-Draft-Interop-Version", "Upload-Complete", "Upload-Incomplete", "Upload-Offset",
                "Upload-Length", "Upload-Limit", "Accept-Patch", "Referrer-Policy", "Sec-Fetch-Site",
            ])
    }

    // MARK: Lost connections

    /// Fails every write, as a closed connection does.
    private final class ClosedConnection: ChannelOutboundHandler, Sendable {
        typealias OutboundIn = NIOAny

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    @Test func disconnectBeforeInterimResponseReleasesLease() async throws {
        let store = TestFileStore()
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let api = FileAPI(
            store: store,
            access: FileAccess(
                verifier: PlainVerifier(),
                tokenless: TokenlessAccess(origins: .sameOrigin, isTLS: false, isLoopback: true), hub: FakeHub()),
            signer: FileURLSigner(), settings: FileAPI.Settings(fileBytesMax: 10, urlsExpireAfter: .seconds(1)),
            logger: quiet, report: { _ in })
        let channel = await NIOAsyncTestingChannel(handler: ClosedConnection())
        let context = APIContext(source: ApplicationRequestContextSource(channel: channel, logger: quiet))
        let head = HTTPRequest(
            method: .post, scheme: "http", authority: "localhost", path: "/v1/files?room=lobby",
            headerFields: [
                .authorization: "Bearer \(FileAPIFixture.alice)", .contentLength: "1", .uploadComplete: "?1",
                .uploadDraftInteropVersion: "8",
            ])
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: [1])))
        await #expect(throws: ChannelError.self) { _ = try await api.create(request, context) }
        #expect(store.released.count == 1)
        _ = try await channel.finish()
    }

    // MARK: Permissions

    @Test func validTokenIsRequired() async throws {
        try await FileAPIFixture.run { fixture in
            let path = try await fixture.begin(size: 2, [1])
            let file = try await fixture.file([1, 2, 3])
            for token in [nil, "", "nonsense", "expired"] {
                for (method, path) in [
                    (HTTPRequest.Method.post, "/v1/files?room=lobby"), (.head, path), (.patch, path), (.delete, path),
                    (.get, file), (.head, file), (.delete, file), (.get, file + "/info"), (.post, file + "/url"),
                ] {
                    let response = try await fixture.send(method, path, as: token, [(.uploadOffset, "1")], [1])
                    #expect(response.status == .unauthorized, "\(method) \(path)")
                    #expect(response.headers[.wwwAuthenticate]?.hasPrefix("Bearer realm=\"gohub\"") == true)
                }
            }
            let later = try await fixture.post([1], as: "later")
            #expect(later.status == .serviceUnavailable && later.headers[.retryAfter] == "5")
            #expect(try await fixture.send(.head, path).headers[.uploadOffset] == "1")
        }
    }

    @Test func uploadNeedsWritePermission() async throws {
        try await FileAPIFixture.run { fixture in
            for token in [FileAPIFixture.reader, FileAPIFixture.stranger, "default/alice/"] {
                #expect(try await fixture.post([1], as: token).status == .forbidden)
            }
            // The same error as for an empty room.
            let one = try await fixture.post([1], "room=lobby", as: FileAPIFixture.stranger)
            let other = try await fixture.post([1], "room=nobody-is-here", as: FileAPIFixture.stranger)
            #expect(one.status == .forbidden && one.text == other.text)
            for revokedPermissions in [Permissions.write, .all] {
                fixture.hub.withState { $0.revokedPermissions = [.named("alice"): revokedPermissions] }
                #expect(try await fixture.post([1]).status == .forbidden)
            }
        }
    }

    @Test func uploadBelongsToItsOwner() async throws {
        try await FileAPIFixture.run { fixture in
            let path = try await fixture.begin(size: 2, [1])
            for token in [
                FileAPIFixture.bob, FileAPIFixture.moderator, FileAPIFixture.stranger, FileAPIFixture.foreigner,
            ] {
                #expect(try await fixture.send(.head, path, as: token).status == .notFound)
                #expect(try await fixture.patch(path, [2], at: 1, isLast: true, as: token).status == .notFound)
                #expect(try await fixture.send(.delete, path, as: token).status == .notFound)
            }
            // A room that was revoked takes no more uploads.
            fixture.hub.withState { $0.revokedPermissions = [.named("alice"): .all] }
            #expect(try await fixture.patch(path, [2], at: 1, isLast: true).status == .notFound)
            fixture.hub.withState { $0.revokedPermissions = [:] }
            #expect(try await fixture.send(.delete, path).status == .noContent)
            #expect(try await fixture.send(.head, path).status == .notFound)
            #expect(try await fixture.send(.delete, path).status == .notFound)
        }
    }

    @Test(arguments: [
        "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a", "%00", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "*",
        "%F0",
        "AAAAAAAAAAAAAAAAAAAAA%2F", "AAAAAAAAAAAAAAAAAAAAAA.tmp",
    ])
    func malformedIDIsNotFound(_ id: String) async throws {
        try await FileAPIFixture.run { fixture in
            for (method, path) in [
                (HTTPRequest.Method.head, "/v1/uploads/\(id)"), (.delete, "/v1/uploads/\(id)"),
                (.get, "/v1/files/\(id)"), (.delete, "/v1/files/\(id)"), (.get, "/v1/files/\(id)/info"),
                (.post, "/v1/files/\(id)/url"),
            ] {
                let response = try await fixture.send(method, path)
                #expect(response.status == .notFound, "\(method) \(path)")
            }
            #expect(try await fixture.patch("/v1/uploads/\(id)", [1], at: 0, isLast: true).status == .notFound)
        }
    }

    /// Instead of being mistaken for another name, room or user.
    @Test(arguments: ["name=100%", "name=%ZZ", "name=%FF", "room=%C3", "id=%", "sha256=%A"])
    func aQueryThatIsNotPercentEncodedUTF8IsRefused(_ query: String) async throws {
        try await FileAPIFixture.run { fixture in
            let response = try await fixture.post([1], query.hasPrefix("room") ? query : "room=lobby&\(query)")
            #expect(response.status == .badRequest)
            #expect(response.text.contains("is not percent-encoded UTF-8"))
        }
    }

    @Test func developmentModeTrustsUserParameter() async throws {
        try await FileAPIFixture.run(isDevelopment: true) { fixture in
            let begun = try await fixture.send(.post, "/v1/files?room=lobby&user=zoe", as: nil, [], [1, 2])
            #expect(try begun.json()["owner"] as? String == "zoe")
            let path = try #require(begun.headers[.location])
            #expect(try await fixture.send(.get, path, as: nil).bytes == [1, 2])
            #expect(try await fixture.send(.get, path + "?user=a%0Ab", as: nil).status == .badRequest)
            // A direct conversation still belongs to its two users.
            let direct = try await fixture.send(.post, "/v1/files?room=dm:alice:zoe&user=zoe", as: nil, [], [1])
            let file = try #require(direct.headers[.location])
            #expect(try await fixture.send(.get, file + "?user=alice", as: nil).status == .ok)
            #expect(try await fixture.send(.get, file + "?user=bob", as: nil).status == .notFound)
        }
    }
}
