import GoHubCore
import GoHubTestSupport
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@testable import GoHubHTTP

@Suite struct ServerAPITests {
    private static let key = "key-0123456789abcdef"
    private let headers: HTTPFields = [.authorization: "Bearer \(key)"]

    private static let shortTexts = {
        var limits = Limits()
        limits.textBytesMax = 1_000
        return limits
    }()

    private func withAPI(
        hub: FakeHub = FakeHub(), limits: Limits = Limits(),
        _ test: @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        try await withRoutes(hub: hub, limits: limits, apiKey: Self.key, test)
    }

    // MARK: The path

    /// A proxy that blocks `/v1/api/` compares the raw path, perhaps after it has resolved dots and slashes.
    @Test(arguments: [
        "//v1/api/rooms", "/v1//api/rooms", "/v1/api//rooms", "/v1/api/rooms/", "/v1/api/rooms//", "///v1/api/rooms",
        "/./v1/api/rooms", "/v1/./api/rooms", "/v1/x/../api/rooms", "/v1/api/rooms/.", "/v1/api/rooms/lobby/..",
        "/v1/%2e/api/rooms", "/v1/x/%2E%2e/api/rooms", "/v1/x/.%2e/api/rooms", "/v1/%61pi/rooms", "/v1%2fapi%2frooms",
        "/v1%2Fapi/rooms", "/v1/api%2Frooms", "/V1/api/rooms", "/v1/API/rooms", "/v1/api;a=b/rooms", "/v1/api/rooms;a",
        "/v1\\api\\rooms", "/v1/api/rooms%00", "/v1/api/rooms%20", "/v1/api/rooms%3f", "http://hub//v1/api/rooms",
        "http://hub/v1//api/rooms", "http://hub/v1/api/rooms/", "v1/api/rooms",
    ])
    func onlyTheExactPathIsServed(path: String) async throws {
        try await withAPI { client in
            try await client.execute(uri: path, method: .get, headers: headers) { response in
                #expect(response.status == .notFound)
            }
        }
    }

    @Test(arguments: ["/v1/api/rooms", "/v1/api/rooms?a=//b/../c/", "/v1/api/rooms?", "http://hub/v1/api/rooms"])
    func otherPathFormsAreNotFound(path: String) async throws {
        try await withAPI { client in
            try await client.execute(uri: path, method: .get, headers: headers) { response in
                #expect(response.status == .ok)
            }
        }
    }

    /// An encoded slash belongs to the id.
    @Test func anIDMayHoldASlash() async throws {
        let hub = FakeHub()
        try await withAPI(hub: hub) { client in
            try await client.execute(uri: "/v1/api/users/a%2Fb/sessions", method: .delete, headers: headers) {
                response in
                #expect(response.status == .ok)
            }
        }
        hub.withState { #expect($0.disconnected.map(\.user.value) == ["a/b"]) }
    }

    // MARK: The key

    @Test func missingKeyTurnsAPIOff() async throws {
        try await withRoutes { client in
            try await client.execute(uri: "/v1/api/rooms", method: .get, headers: headers) { response in
                #expect(response.status == .forbidden)
                #expect(
                    response.text
                        == #"{"code":"forbidden","message":"The server API is off. The operator can enable it with api.key or api.keyFile."}"#
                )
            }
        }
    }

    @Test(arguments: [
        nil, "", "Bearer", "Bearer ", "Basic key-0123456789abcdef", "Bearer key-0123456789abcdeg",
        "Bearer key-0123456789abcde", "Bearer key-0123456789abcdefX", "key-0123456789abcdef",
        "Bearer key-0123456789abcdefkey-0123456789abcdef",
    ])
    func aWrongKeyIsRefusedEverywhere(authorization: String?) async throws {
        let hub = FakeHub()
        try await withAPI(hub: hub) { client in
            for (path, method) in [
                ("/v1/api/rooms", HTTPRequest.Method.get), ("/v1/api/rooms/lobby/members", .get),
                ("/v1/api/rooms/lobby/messages", .post), ("/v1/api/rooms/lobby/messages/1", .delete),
                ("/v1/api/rooms/lobby/members/bob", .delete), ("/v1/api/rooms/lobby/sanctions", .get),
                ("/v1/api/rooms/lobby/sanctions/bob", .put), ("/v1/api/rooms/lobby/sanctions/bob", .delete),
                ("/v1/api/users/a/sessions", .post),
                ("/v1/api/users/a/sessions", .delete),
            ] {
                var headers: HTTPFields = [:]
                headers[.authorization] = authorization
                try await client.execute(uri: path, method: method, headers: headers) { response in
                    #expect(response.status == .unauthorized)
                    #expect(response.headers[.wwwAuthenticate] == #"Bearer realm="gohub server API""#)
                    #expect(response.text.contains(#""code":"unauthorized""#))
                }
            }
        }
        hub.withState {
            #expect($0.disconnected.isEmpty && $0.published.isEmpty && $0.deleted.isEmpty && $0.membersAsked.isEmpty)
        }
    }

    @Test func theSchemeIsTakenInAnyCase() async throws {
        try await withAPI { client in
            try await client.execute(
                uri: "/v1/api/rooms", method: .get, headers: [.authorization: "bearer \(Self.key)"]
            ) { #expect($0.status == .ok) }
        }
    }

    // MARK: Messages

    private func publish(
        _ body: String, room: String = "lobby", query: String = "", hub: FakeHub = FakeHub(),
        limits: Limits = Limits(), _ check: @escaping @Sendable (TestResponse) throws -> Void
    ) async throws {
        try await withAPI(hub: hub, limits: limits) { client in
            try await client.execute(
                uri: "/v1/api/rooms/\(room)/messages\(query)", method: .post, headers: headers,
                body: ByteBuffer(string: body), testCallback: check)
        }
    }

    @Test func publishReturnsPosition() async throws {
        let hub = FakeHub()
        try await publish(
            #"{"text": "hi \"all\"", "from": "bot", "name": "The Bot", "id": "m1", "later": 1}"#, query: "?tenant=acme",
            hub: hub
        ) { response in
            #expect(response.status == .ok)
            #expect(response.text == #"{"at":1234,"duplicate":false,"epoch":"e1","offset":7}"#)
        }
        let tenant = try #require(TenantID("acme"))
        let room = RoomID(tenant: tenant, name: try #require(RoomName("lobby")))
        let sender = Member(user: try #require(UserID("bot")), name: "The Bot")
        let expected = FakeHub.Published(
            text: "hi \"all\"", room: room, sender: sender, id: try #require(CommandID("m1")))
        #expect(hub.withState { $0.published } == [expected])
    }

    @Test func omittedFieldsGetDefaults() async throws {
        let hub = FakeHub()
        for _ in 0..<2 { try await publish(#"{"text": "hi"}"#, hub: hub) { #expect($0.status == .ok) } }
        let published = hub.withState { $0.published }
        #expect(published.allSatisfy { $0.room.tenant == .standard && $0.sender.user.value == "server" })
        #expect(Set(published.map(\.id)).count == 2)
    }

    private func delete(
        _ offset: String, query: String = "", hub: FakeHub,
        _ check: @escaping @Sendable (TestResponse) throws -> Void
    ) async throws {
        try await withAPI(hub: hub) { client in
            try await client.execute(
                uri: "/v1/api/rooms/lobby/messages/\(offset)\(query)", method: .delete, headers: headers,
                testCallback: check)
        }
    }

    @Test func deleteUsesGivenName() async throws {
        let hub = FakeHub()
        try await delete("42", query: "?tenant=acme&from=carol&id=d1", hub: hub) { response in
            #expect(response.status == .ok)
            #expect(response.text == #"{"at":1234,"duplicate":false,"epoch":"e1","offset":7}"#)
        }
        let room = RoomID(tenant: try #require(TenantID("acme")), name: try #require(RoomName("lobby")))
        let expected = FakeHub.Deleted(
            offset: 42, room: room, moderator: Member(user: try #require(UserID("carol"))),
            id: try #require(CommandID("d1")))
        #expect(hub.withState { $0.deleted } == [expected])
        try await delete("42", hub: hub) { #expect($0.status == .ok) }
        #expect(hub.withState { $0.deleted.last?.moderator.user.value } == "server")
    }

    @Test func failedDeletionIsReported() async throws {
        let hub = FakeHub()
        for offset in ["-1", "x", "99999999999999999999"] {
            try await delete(offset, hub: hub) { #expect($0.status == .badRequest) }
        }
        #expect(hub.withState { $0.deleted.isEmpty })
        hub.withState { $0.answer = { _, id in .error(id: id, code: .notFound, message: "There is no such message.") } }
        try await delete("42", hub: hub) { response in
            #expect(response.status == .notFound)
            #expect(response.text == #"{"code":"not_found","message":"There is no such message."}"#)
        }
    }

    @Test func aDirectConversationIsPercentEncoded() async throws {
        let hub = FakeHub()
        try await publish(#"{"text": "hi"}"#, room: "dm%3Aalice%3Abob", hub: hub) { #expect($0.status == .ok) }
        #expect(hub.withState { $0.published.map(\.room.name.value) } == ["dm:alice:bob"])
    }

    @Test(arguments: [
        ("", "The body is not valid JSON."), ("[]", "The body is not a JSON object."),
        ("{", "The body is not valid JSON."),
        ("{}", #"Field \"text\" is missing."#), (#"{"text": ""}"#, #"Field \"text\" is empty."#),
        (#"{"text": 1}"#, #"Field \"text\" has the wrong type or format."#),
        (#"{"text": null}"#, #"Field \"text\" has the wrong type or format."#),
        (#"{"text": "a", "from": ""}"#, #"Field \"from\" must have 1 to 128 bytes without control characters."#),
        (
            #"{"text": "a", "name": "\u0007"}"#,
            #"Field \"name\" must have 1 to 64 characters without control characters."#
        ),
        (#"{"text": "a", "id": "\n"}"#, #"Field \"id\" must have 1 to 64 bytes without control characters."#),
    ])
    func wrongBodyIsExplained(body: String, message: String) async throws {
        let hub = FakeHub()
        try await publish(body, hub: hub) { response in
            #expect(response.status == .badRequest)
            #expect(response.text == #"{"code":"bad_request","message":"\#(message)"}"#)
        }
        hub.withState { #expect($0.published.isEmpty) }
    }

    @Test func sizesAreBounded() async throws {
        let text = String(repeating: "a", count: 1001)
        try await publish(#"{"text": "\#(text)"}"#, limits: Self.shortTexts) { response in
            #expect(response.status == .contentTooLarge)
            #expect(response.text == #"{"code":"too_large","message":"The text is longer than 1000 bytes."}"#)
        }
        try await publish(#"{"text": "\#(text.dropLast())"}"#, limits: Self.shortTexts) {
            #expect($0.status == .ok)
        }
        let space = String(repeating: " ", count: ServerAPI.bodyBytesMax)
        try await publish(#"{"text": "a"}"# + space) { response in
            #expect(response.status == .contentTooLarge)
            #expect(response.text == #"{"code":"too_large","message":"The body is larger than 65536 bytes."}"#)
        }
    }

    @Test(arguments: ["Lobby", "a%2Fb", "%", "%zz", "%ff", "dm:b:a", "-a", "a%20b"])
    func aWrongRoomIsRefused(room: String) async throws {
        try await publish(#"{"text": "a"}"#, room: room) { response in
            #expect(response.status == .badRequest)
            #expect(response.text.contains("The room in the path must be"))
        }
    }

    @Test(arguments: ["?tenant=", "?tenant=A", "?tenant=a%2Fb"])
    func aWrongTenantIsRefused(query: String) async throws {
        try await publish(#"{"text": "a"}"#, query: query) { response in
            #expect(response.status == .badRequest)
            #expect(response.text.contains("`tenant` must be"))
        }
    }

    @Test(arguments: [
        (ErrorCode.badRequest, 400), (.unauthorized, 401), (.forbidden, 403), (.notFound, 404), (.conflict, 409),
        (.tooLarge, 413), (.rateLimited, 429), (.internal, 500), (.unavailable, 503), (ErrorCode(rawValue: "new"), 500),
    ])
    func theHubsRefusalsKeepTheirCode(code: ErrorCode, status: Int) async throws {
        let hub = FakeHub()
        hub.withState {
            $0.answer = { _, id in .error(id: id, code: code, message: "no", retryAfter: 1500) }
        }
        try await publish(#"{"text": "a"}"#, hub: hub) { response in
            #expect(response.status.code == status)
            #expect(response.text == #"{"code":"\#(code.rawValue)","message":"no"}"#)
            #expect(response.headers[.retryAfter] == "2")
        }
    }

    // MARK: Rooms, members, sessions

    @Test func roomsAreListedByTenant() async throws {
        let hub = FakeHub()
        try await withAPI(hub: hub) { client in
            try await client.execute(uri: "/v1/api/rooms?tenant=acme", method: .get, headers: headers) { response in
                #expect(response.status == .ok)
                #expect(
                    response.text
                        == #"{"rooms":[{"room":"lobby","sessions":3,"users":2},{"room":"team","sessions":3,"users":2}]}"#
                )
            }
        }
        #expect(hub.withState { $0.tenantsAsked.map(\.value) } == ["acme"])
    }

    @Test func membersAreListed() async throws {
        let hub = FakeHub()
        try await withAPI(hub: hub) { client in
            try await client.execute(uri: "/v1/api/rooms/lobby/members", method: .get, headers: headers) { response in
                #expect(response.status == .ok)
                #expect(response.text == #"{"count":3,"members":[{"name":"Alice","user":"alice"}],"room":"lobby"}"#)
            }
        }
    }

    @Test(arguments: [HTTPRequest.Method.post, .delete])
    func aUsersSessionsAreClosed(method: HTTPRequest.Method) async throws {
        let hub = FakeHub()
        try await withAPI(hub: hub) { client in
            try await client.execute(uri: "/v1/api/users/al%20ice/sessions", method: method, headers: headers) {
                response in
                #expect(response.status == .ok)
                #expect(response.text == #"{"closed":2}"#)
            }
        }
        #expect(hub.withState { $0.disconnected.map(\.user.value) } == ["al ice"])
    }

    @Test func answersOfOneHubOfSeveralAreMarked() async throws {
        let hub = FakeHub()
        hub.withState { $0.hasPeers = true }
        try await withAPI(hub: hub) { client in
            for (path, method) in [
                ("rooms", .get), ("rooms/lobby/members", .get), ("users/alice/sessions", .delete),
            ] as [(String, HTTPRequest.Method)] {
                try await client.execute(uri: "/v1/api/\(path)", method: method, headers: headers) { response in
                    #expect(response.status == .ok)
                    #expect(response.text.contains(#""partial":true"#), "\(path)")
                }
            }
        }
    }

    // MARK: Moderation

    private func moderate(
        _ method: HTTPRequest.Method, _ path: String, _ body: String = "", hub: FakeHub,
        _ check: @escaping @Sendable (TestResponse) throws -> Void
    ) async throws {
        try await withAPI(hub: hub) { client in
            try await client.execute(
                uri: "/v1/api/rooms/\(path)", method: method, headers: headers, body: ByteBuffer(string: body),
                testCallback: check)
        }
    }

    @Test func sanctionsAreListed() async throws {
        let hub = FakeHub()
        try await moderate(.get, "lobby/sanctions", hub: hub) { response in
            #expect(response.text == #"{"room":"lobby","sanctions":[]}"#)
        }
        hub.withState {
            $0.sanctions = [
                UserSanction(user: .bob, isBan: true, left: 59_001), UserSanction(user: .carol, isBan: false, left: 1),
            ]
        }
        try await moderate(.get, "lobby/sanctions", hub: hub) { response in
            #expect(response.status == .ok)
            let bob = #"{"kind":"ban","secondsLeft":60,"user":"bob"}"#
            let carol = #"{"kind":"mute","secondsLeft":1,"user":"carol"}"#
            #expect(response.text == "{\"room\":\"lobby\",\"sanctions\":[\(bob),\(carol)]}")
        }
        hub.withState { $0.knowsSanctions = false }
        try await moderate(.get, "lobby/sanctions", hub: hub) { #expect($0.status == .serviceUnavailable) }
    }

    @Test func usersAreMutedBannedPardonedAndKicked() async throws {
        let hub = FakeHub()
        let done: @Sendable (TestResponse) throws -> Void = { response in
            #expect(response.status == .ok)
            #expect(response.text == #"{"notice":"done"}"#)
        }
        let path = "lobby/sanctions/al%20ice?tenant=acme"
        try await moderate(.put, path, #"{"kind":"mute","minutes":5,"from":"admin"}"#, hub: hub, done)
        try await moderate(.put, path, #"{"kind":"ban"}"#, hub: hub, done)
        try await moderate(.delete, path + "&from=admin", hub: hub, done)
        try await moderate(.delete, "lobby/members/al%20ice?tenant=acme", hub: hub, done)
        let room = RoomID(tenant: .named("acme"), name: .lobby)
        func sanction(_ kind: Sanction.Kind, by: String) -> FakeHub.Moderated {
            FakeHub.Moderated(
                room: room, sanction: Sanction(kind, user: .named("al ice"), by: Member(user: .named(by))))
        }
        let expected = [
            sanction(.mute(minutes: 5), by: "admin"), sanction(.ban(minutes: 10), by: "server"),
            sanction(.pardon, by: "admin"), sanction(.kick, by: "server"),
        ]
        #expect(hub.withState { $0.moderated } == expected)
    }

    @Test func wrongSanctionIsExplained() async throws {
        let hub = FakeHub()
        for (path, body, message) in [
            ("lobby/sanctions/bob", #"{"kind":"kick"}"#, #"Field \"kind\" must be \"mute\" or \"ban\"."#),
            ("lobby/sanctions/bob", #"{"kind":"ban","minutes":0}"#, #"Field \"minutes\" must be 1 or more."#),
            ("dm:alice:bob/sanctions/bob", #"{"kind":"ban"}"#, "Direct conversations cannot be moderated."),
        ] {
            try await moderate(.put, path, body, hub: hub) { response in
                #expect(response.status == .badRequest)
                #expect(response.text == "{\"code\":\"bad_request\",\"message\":\"\(message)\"}")
            }
        }
        for body in ["", "{}", #"{"kind":"ban","minutes":-1}"#, #"{"kind":"ban","minutes":"5"}"#] {
            try await moderate(.put, "lobby/sanctions/bob", body, hub: hub) { #expect($0.status == .badRequest) }
        }
        #expect(hub.withState { $0.moderated.isEmpty })
    }

    @Test(arguments: [
        (ErrorCode.notFound, HTTPResponse.Status.notFound), (.conflict, .conflict), (.unavailable, .serviceUnavailable),
    ])
    func hubRefusalIsReported(_ code: ErrorCode, _ status: HTTPResponse.Status) async throws {
        let hub = FakeHub()
        hub.withState {
            $0.moderationAnswer = { .error(id: $1, code: code, message: "why", retryAfter: 1000) }
        }
        try await moderate(.delete, "lobby/sanctions/bob", hub: hub) { response in
            #expect(response.status == status)
            #expect(response.headers[.retryAfter] == "1")
            #expect(response.text == "{\"code\":\"\(code.rawValue)\",\"message\":\"why\"}")
        }
    }

    // MARK: Another key

    @Test func aKeyIsReplacedAndAShortOneLeavesTheOld() throws {
        #expect(APIKey(Array("short".utf8)) == nil)
        let key = try #require(APIKey(Array("first-0123456789abcdef".utf8)))
        #expect(key.matches("first-0123456789abcdef"))
        #expect(key.replace(with: Array("second-0123456789abcdef".utf8)))
        #expect(key.matches("second-0123456789abcdef"))
        #expect(!key.matches("first-0123456789abcdef"))
        #expect(!key.replace(with: Array("short".utf8)))
        #expect(key.matches("second-0123456789abcdef"))
        #expect(!key.matches(""))
    }
}
