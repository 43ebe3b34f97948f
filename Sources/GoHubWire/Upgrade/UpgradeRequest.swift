/// A valid WebSocket handshake of a client (RFC 6455, section 4.2.1), and the values that the hub reads from it.
struct UpgradeRequest: Equatable, Sendable {
    /// The only subprotocol of the hub.
    static let subprotocolName = "gohub.v1"
    /// A browser can't set Authorization, so it offers its token as a subprotocol.
    static let bearerPrefix = "gohub.bearer."

    let path: String
    let query: String?
    let host: String
    /// Only browsers send it. `OriginPolicy` checks it.
    let origin: String?
    /// Sec-WebSocket-Key, as it was sent.
    let key: String
    /// The subprotocol to echo; `nil` if the client offered none.
    let subprotocol: String?
    /// A secret: not for logs. Not verified yet.
    let bearerToken: String?
    /// The offers of Sec-WebSocket-Extensions, for `DeflateParameters.negotiate`.
    let extensions: [ExtensionOffer]

    /// Whether a request asks for a WebSocket; if not, it is plain HTTP. An Upgrade field in HTTP/1.0 is ignored (RFC
    /// 9110, section 7.8).
    static func isUpgrade(_ head: RequestHead) -> Bool {
        head.version == .http11 && head.contains("websocket", in: "upgrade")
            && head.contains("upgrade", in: "connection")
    }

    /// Validates the handshake.
    init(_ head: RequestHead) throws(UpgradeRejection) {
        guard head.method == "GET" else { throw .methodNotAllowed(allow: "GET") }
        guard head.version == .http11 else { throw .badRequest("A WebSocket handshake needs HTTP/1.1.") }
        guard let host = head.host else { throw .badRequest("The request has no Host.") }
        guard UpgradeRequest.isUpgrade(head) else { throw .upgradeRequired }
        guard head.first("transfer-encoding") == nil, UInt64(head.first("content-length") ?? "0") == 0 else {
            throw .badRequest("A WebSocket handshake has no body.")
        }
        // It would require a 100 before the 101 (RFC 9110, section 7.8), for a body that can't come.
        guard head.count(of: "expect") == 0 else { throw .expectationFailed }
        // Exactly these two digits, once: it is no list (RFC 6455, section 11.3.5).
        guard head.combined("sec-websocket-version") == "13" else { throw .upgradeRequired }
        guard head.count(of: "sec-websocket-key") == 1, let key = head.first("sec-websocket-key"),
            UpgradeRequest.isKey(key)
        else { throw .badRequest("The request must have one Sec-WebSocket-Key with 16 bytes in base64.") }
        guard head.count(of: "origin") <= 1 else { throw .badRequest("The request has more than one Origin.") }

        path = head.path
        query = head.query
        self.host = host
        origin = head.first("origin")
        self.key = key
        extensions = try UpgradeRequest.extensions(head)
        let offered = try UpgradeRequest.subprotocols(head)
        subprotocol = offered.name
        bearerToken = try UpgradeRequest.authorization(head) ?? offered.token
    }

    /// 16 bytes in base64: 22 characters and two of padding (RFC 4648, section 4).
    private static func isKey(_ key: String) -> Bool {
        let bytes = key.utf8
        return bytes.count == 24 && bytes.suffix(2).elementsEqual("==".utf8)
            && bytes.dropLast(2).allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                    true
                default: false
                }
            }
    }

    /// All offers, known or unknown. A value that violates the grammar fails the handshake (RFC 6455, section 9.1), as
    /// opposed to an offer declined by an extension's own rules.
    private static func extensions(_ head: RequestHead) throws(UpgradeRejection) -> [ExtensionOffer] {
        guard let value = head.combined("sec-websocket-extensions") else { return [] }
        guard let offers = ExtensionOffer.list(value) else {
            throw .badRequest("Sec-WebSocket-Extensions is malformed.")
        }
        return offers
    }

    /// The name to echo and the token, from the offered subprotocols (RFC 6455, section 4.1, item 10: tokens, no
    /// duplicates).
    private static func subprotocols(
        _ head: RequestHead
    ) throws(UpgradeRejection) -> (name: String?, token: String?) {
        guard head.count(of: "sec-websocket-protocol") > 0 else { return (nil, nil) }
        let offers = head.list("sec-websocket-protocol")
        guard !offers.isEmpty, offers.allSatisfy({ HTTPSyntax.isToken($0) }), Set(offers).count == offers.count else {
            throw .badRequest("Sec-WebSocket-Protocol must list distinct tokens.")
        }
        guard offers.contains(where: { $0 == subprotocolName }) else {
            throw .badRequest("None of the offered subprotocols is \(subprotocolName).")
        }
        let tokens = offers.filter { $0.hasPrefix(bearerPrefix) }
        guard tokens.count <= 1 else { throw .badRequest("The subprotocols contain more than one token.") }
        guard let token = tokens.first?.dropFirst(bearerPrefix.count) else { return (subprotocolName, nil) }
        guard HTTPSyntax.isToken68(token) else { throw .badRequest("The token in the subprotocols is malformed.") }
        return (subprotocolName, String(token))
    }

    /// The token of `Authorization: Bearer` (RFC 6750, section 2.1). Other schemes are ignored.
    private static func authorization(_ head: RequestHead) throws(UpgradeRejection) -> String? {
        guard head.count(of: "authorization") <= 1 else {
            throw .badRequest("The request has more than one Authorization.")
        }
        guard let value = head.first("authorization") else { return nil }
        let parts = value.split(separator: " ", maxSplits: 1)
        guard let scheme = parts.first, HTTPSyntax.equals(scheme, lowercase: "bearer") else { return nil }
        let token = parts.count == 2 ? HTTPSyntax.trimmed(parts[1]) : ""
        guard HTTPSyntax.isToken68(token) else { throw .badRequest("Authorization: Bearer needs exactly one token.") }
        return String(token)
    }
}
