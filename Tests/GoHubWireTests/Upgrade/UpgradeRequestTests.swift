import Testing

@testable import GoHubWire

/// Fields that the hub reads from a handshake, beyond the rules of `RFC6455HandshakeTests`.
@Suite struct UpgradeRequestTests {
    private let right = HandshakeText(target: "/v1/ws?x=1")

    private func request(_ handshake: HandshakeText) throws -> UpgradeRequest {
        try UpgradeRequest(try handshake.head())
    }

    private func rejection(_ handshake: HandshakeText) throws -> UpgradeRejection.Status? {
        let head = try handshake.head()
        do throws(UpgradeRejection) {
            _ = try UpgradeRequest(head)
            return nil
        } catch {
            return error.status
        }
    }

    @Test func aHandshake() throws {
        let request = try request(
            right.with("Host", "chat.example.com").with("Origin", "https://chat.example.com")
                .with("Sec-WebSocket-Extensions", "foo", "permessage-deflate; Client_Max_Window_Bits=\"10\""))
        #expect(request.path == "/v1/ws")
        #expect(request.query == "x=1")
        #expect(request.host == "chat.example.com")
        #expect(request.origin == "https://chat.example.com")
        #expect(request.key == "dGhlIHNhbXBsZSBub25jZQ==")
        #expect(request.subprotocol == nil)
        #expect(request.bearerToken == nil)
        #expect(
            request.extensions == [
                ExtensionOffer(name: "foo"),
                ExtensionOffer(
                    name: "permessage-deflate", parameters: [.init(name: "client_max_window_bits", value: "10")]),
            ])
    }

    @Test func missingUpgradeIs426() throws {
        #expect(try rejection(right.without("Upgrade")) == .upgradeRequired)
        #expect(try rejection(HandshakeText(version: "HTTP/1.0")) == .badRequest)
    }

    @Test func repeatedAuthorizationIsRefused() throws {
        #expect(try rejection(right.with("Authorization", "Bearer a", "Bearer b")) == .badRequest)
    }

    @Test(
        arguments: [
            ("gohub.v1", nil), ("gohub.v1, other", nil), ("other,gohub.v1", nil),
            ("gohub.v1, gohub.bearer.a.b-c_d", "a.b-c_d"),
            ("gohub.bearer.x, gohub.v1", "x"),
        ] as [(String, String?)])
    func subprotocols(_ offers: String, _ token: String?) throws {
        let request = try request(right.with("Sec-WebSocket-Protocol", offers))
        #expect(request.subprotocol == "gohub.v1")
        #expect(request.bearerToken == token)
    }

    @Test func subprotocolsOverSeveralFields() throws {
        let request = try request(right.with("Sec-WebSocket-Protocol", "gohub.bearer.t", "gohub.v1"))
        #expect(request.subprotocol == "gohub.v1")
        #expect(request.bearerToken == "t")
    }

    @Test(arguments: [
        "gohub.bearer.x", "gohub.v1, gohub.bearer.", "gohub.v1, gohub.bearer.a, gohub.bearer.b",
        "gohub.v1, gohub.bearer.a!b",
    ])
    func tokensThatAreRefused(_ offers: String) throws {
        #expect(try rejection(right.with("Sec-WebSocket-Protocol", offers)) == .badRequest)
    }

    @Test func theToken() throws {
        #expect(try request(right.with("Authorization", "Bearer a.b.c")).bearerToken == "a.b.c")
        #expect(try request(right.with("Authorization", "bearer  YWJj==")).bearerToken == "YWJj==")
        #expect(try request(right.with("Authorization", "Basic YTpi")).bearerToken == nil)
        // Authorization is the more explicit one.
        let both = right.with("Authorization", "Bearer first")
            .with("Sec-WebSocket-Protocol", "gohub.v1, gohub.bearer.second")
        #expect(try request(both).bearerToken == "first")
        for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer =", "Bearer é"] {
            #expect(try rejection(right.with("Authorization", value)) == .badRequest, "\(value)")
        }
    }
}
