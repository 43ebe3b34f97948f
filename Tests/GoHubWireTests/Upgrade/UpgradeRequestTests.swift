import Testing

@testable import GoHubWire

/// RFC 6455, sections 4.1 and 4.2.1.
@Suite struct UpgradeRequestTests {
    /// A handshake that is right, but for what a test replaces, removes (nil) or adds.
    private func head(
        method: String = "GET", version: String = "HTTP/1.1", _ changes: [String: String?] = [:],
        adding added: [(String, String)] = []
    ) throws -> RequestHead {
        var fields = [
            ("Host", "chat.example.com"), ("Upgrade", "websocket"), ("Connection", "keep-alive, Upgrade"),
            ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        for (name, value) in changes {
            fields.removeAll { $0.0 == name }
            if let value { fields.append((name, value)) }
        }
        let lines = (fields + added).map { "\($0): \($1)\r\n" }.joined()
        let text = "\(method) /v1/ws?x=1 \(version)\r\n\(lines)\r\n"
        guard case .complete(let head, _) = RequestHeadTests.parse([Array(text.utf8)]) else {
            throw NotAHead(text: text)
        }
        return head
    }

    private struct NotAHead: Error {
        let text: String
    }

    private func rejection(_ head: RequestHead) -> UpgradeRejection.Status? {
        do throws(UpgradeRejection) {
            _ = try UpgradeRequest(head)
            return nil
        } catch {
            return error.status
        }
    }

    @Test func aHandshake() throws {
        let request = try UpgradeRequest(try head(["Origin": "https://chat.example.com"]))
        #expect(request.path == "/v1/ws")
        #expect(request.query == "x=1")
        #expect(request.host == "chat.example.com")
        #expect(request.origin == "https://chat.example.com")
        #expect(request.key == "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(request.subprotocol == nil)
        #expect(request.bearerToken == nil)
        #expect(request.extensions == nil)
    }

    @Test func whatIsAnUpgrade() throws {
        #expect(UpgradeRequest.isUpgrade(try head()))
        #expect(UpgradeRequest.isUpgrade(try head(["Upgrade": "h2c, WebSocket", "Connection": "UPGRADE"])))
        #expect(
            UpgradeRequest.isUpgrade(
                try head(["Connection": nil], adding: [("Connection", "a"), ("connection", "upgrade")])))
        #expect(UpgradeRequest.isUpgrade(try head(method: "POST")))
        #expect(!UpgradeRequest.isUpgrade(try head(["Upgrade": nil])))
        #expect(!UpgradeRequest.isUpgrade(try head(["Upgrade": "h2c"])))
        #expect(!UpgradeRequest.isUpgrade(try head(["Upgrade": "websockets"])))
        #expect(!UpgradeRequest.isUpgrade(try head(["Upgrade": "websoc\u{212A}et"])))
        #expect(!UpgradeRequest.isUpgrade(try head(["Connection": "keep-alive"])))
        #expect(!UpgradeRequest.isUpgrade(try head(["Connection": nil])))
        // RFC 9110, section 7.8.
        #expect(!UpgradeRequest.isUpgrade(try head(version: "HTTP/1.0")))
    }

    @Test func methodsAndVersions() throws {
        #expect(rejection(try head(method: "POST")) == .methodNotAllowed)
        #expect(rejection(try head(method: "get")) == .methodNotAllowed)
        #expect(rejection(try head(version: "HTTP/1.0")) == .badRequest)
        #expect(rejection(try head(["Upgrade": "h2c"])) == .upgradeRequired)
        for version in [nil, "8", "14", "013", "13, 8", "", "thirteen"] as [String?] {
            #expect(rejection(try head(["Sec-WebSocket-Version": version])) == .upgradeRequired, "\(version ?? "none")")
        }
    }

    @Test(
        arguments: [
            nil, "", "abc", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
            "dGhlIHNhbXBsZSBub25jZSE=", "dGhlIHNhbXBsZSBub25j!Q==",
            "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25jé==",
        ] as [String?])
    func keysThatAreNone(_ key: String?) throws {
        #expect(rejection(try head(["Sec-WebSocket-Key": key])) == .badRequest)
    }

    @Test func whatMayComeOnceOnly() throws {
        #expect(rejection(try head(adding: [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")])) == .badRequest)
        #expect(rejection(try head(adding: [("Origin", "https://a"), ("Origin", "https://b")])) == .badRequest)
        #expect(
            rejection(try head(adding: [("Authorization", "Bearer a"), ("Authorization", "Bearer b")])) == .badRequest)
        #expect(rejection(try head(adding: [("Sec-WebSocket-Version", "13")])) == .upgradeRequired)
    }

    @Test func aBodyIsRefused() throws {
        #expect(rejection(try head(["Content-Length": "1"])) == .badRequest)
        #expect(rejection(try head(["Transfer-Encoding": "chunked"])) == .badRequest)
        #expect(rejection(try head(["Content-Length": "0"])) == nil)
    }

    @Test(
        arguments: [
            ("gohub.v1", nil), ("gohub.v1, other", nil), ("other,gohub.v1", nil),
            ("gohub.v1, gohub.bearer.a.b-c_d", "a.b-c_d"),
            ("gohub.bearer.x, gohub.v1", "x"),
        ] as [(String, String?)])
    func subprotocols(_ offers: String, _ token: String?) throws {
        let request = try UpgradeRequest(try head(["Sec-WebSocket-Protocol": offers]))
        #expect(request.subprotocol == "gohub.v1")
        #expect(request.bearerToken == token)
    }

    @Test func subprotocolsOverSeveralFields() throws {
        let request = try UpgradeRequest(
            try head(adding: [("Sec-WebSocket-Protocol", "gohub.bearer.t"), ("Sec-WebSocket-Protocol", "gohub.v1")]))
        #expect(request.subprotocol == "gohub.v1")
        #expect(request.bearerToken == "t")
    }

    @Test(arguments: [
        "", ",", "other", "GoHub.v1", "gohub.bearer.x", "gohub.v1, gohub.v1", "gohub.v1, a b", "gohub.v1, a/b",
        "gohub.v1, gohub.bearer.", "gohub.v1, gohub.bearer.a, gohub.bearer.b", "gohub.v1, gohub.bearer.a!b",
        "gohub.v1, \"quoted\"",
    ])
    func subprotocolsThatAreRefused(_ offers: String) throws {
        #expect(rejection(try head(["Sec-WebSocket-Protocol": offers])) == .badRequest)
    }

    @Test func theToken() throws {
        #expect(try UpgradeRequest(try head(["Authorization": "Bearer a.b.c"])).bearerToken == "a.b.c")
        #expect(try UpgradeRequest(try head(["Authorization": "bearer  YWJj=="])).bearerToken == "YWJj==")
        #expect(try UpgradeRequest(try head(["Authorization": "Basic YTpi"])).bearerToken == nil)
        // Authorization is the more explicit of the two.
        let both = try head([
            "Authorization": "Bearer first", "Sec-WebSocket-Protocol": "gohub.v1, gohub.bearer.second",
        ])
        #expect(try UpgradeRequest(both).bearerToken == "first")
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer =", "Bearer é"] {
            #expect(rejection(try head(["Authorization": value])) == .badRequest, "\(value)")
        }
    }

    @Test func extensionsAreCombined() throws {
        let request = try UpgradeRequest(
            try head(adding: [("Sec-WebSocket-Extensions", "foo"), ("Sec-WebSocket-Extensions", "permessage-deflate")]))
        #expect(request.extensions == "foo, permessage-deflate")
    }
}
