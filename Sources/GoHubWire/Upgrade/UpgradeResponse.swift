internal import CGoHubOpenSSL
internal import GoHubCore
internal import GoHubSystem

/// The two answers to a handshake: switching protocols, or a refusal (RFC 6455, section 4.2.2).
enum UpgradeResponse {
    /// 101 Switching Protocols; frames follow directly after these bytes.
    static func accept(_ request: UpgradeRequest, deflate: DeflateParameters? = nil) -> [UInt8] {
        var response = """
            HTTP/1.1 101 Switching Protocols\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Accept: \(acceptValue(key: request.key))\r

            """
        if let subprotocol = request.subprotocol { response += "Sec-WebSocket-Protocol: \(subprotocol)\r\n" }
        if let deflate { response += "Sec-WebSocket-Extensions: \(deflate.fieldValue)\r\n" }
        response += "\r\n"
        return Array(response.utf8)
    }

    /// A complete response, after which the connection is closed.
    ///
    /// - Parameter time: the current time, for Date, which 4xx responses must have (RFC 9110, section 6.6.1).
    static func reject(_ rejection: UpgradeRejection, at time: WallTime) -> [UInt8] {
        let status = rejection.status
        let body = visible(rejection.reason) + "\n"
        // Upgrade must be listed in Connection wherever it is sent (RFC 9110, section 7.8).
        let connection = status == .upgradeRequired ? "Upgrade, close" : "close"
        var response = """
            HTTP/1.1 \(status.rawValue) \(status.phrase)\r
            Date: \(HTTPDate.format(max(0, time.milliseconds / 1000)))\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Length: \(body.utf8.count)\r
            X-Content-Type-Options: nosniff\r
            Connection: \(connection)\r

            """
        for field in rejection.fields { response += "\(visible(field.name)): \(visible(field.value))\r\n" }
        response += "\r\n" + (rejection.omitsContent ? "" : body)
        return Array(response.utf8)
    }

    /// The text without control characters, so that no value can end its line.
    private static func visible(_ text: String) -> String {
        guard !text.utf8.allSatisfy(HTTPSyntax.isFieldValueByte) else { return text }
        let bytes = text.utf8.map { HTTPSyntax.isFieldValueByte($0) ? $0 : UInt8(ascii: "?") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The proof that the handshake was understood: SHA-1 of the key and a fixed GUID, in base64 (RFC 6455, section
    /// 4.2.2, item 5.4). SHA-1 is no secret here and needs no strength.
    static func acceptValue(key: String) -> String {
        let input = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        // 20 bytes make 28 characters, and EVP_EncodeBlock ends them with a NUL.
        var encoded = [UInt8](repeating: 0, count: 29)
        SHA1(input, input.count, &digest)
        let count = EVP_EncodeBlock(&encoded, digest, Int32(digest.count))
        return String(decoding: encoded.prefix(Int(count)), as: UTF8.self)
    }
}
