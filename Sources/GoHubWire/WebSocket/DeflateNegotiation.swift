/// How this server compresses. The same for all connections, since a broadcast is compressed once for all.
struct DeflateConfiguration: Sendable, Equatable {
    /// Base-2 logarithm of the server's window, 9–15. zlib has no raw DEFLATE with a window of 8 bits, which is why a
    /// client that asks for one isn't given compression.
    let windowBits: UInt8
    /// zlib's level, 1 (fast) – 9 (small).
    let level: UInt8
    /// Shorter payloads are sent as they are: the marker and the lost time outweigh what is saved.
    let payloadBytesMin: Int

    /// Values out of range are moved to the nearest in range.
    init(windowBits: Int = 15, level: Int = 1, payloadBytesMin: Int = 128) {
        self.windowBits = UInt8(min(max(windowBits, 9), 15))
        self.level = UInt8(min(max(level, 1), 9))
        self.payloadBytesMin = max(payloadBytesMin, 1)
    }
}

/// What was agreed on for one connection under permessage-deflate (RFC 7692, section 7.1).
///
/// Neither side takes its context over: the server since all subscribers share the bytes of a message, the client so
/// that no window is kept for each connection. The latter is told, not asked for; section 7.1.1.2 allows that.
struct DeflateParameters: Sendable, Equatable {
    /// The server's window, if the client put a limit to it.
    let serverMaxWindowBits: UInt8?

    /// The value of the response's Sec-WebSocket-Extensions.
    var fieldValue: String {
        let base = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        guard let serverMaxWindowBits else { return base }
        return base + "; server_max_window_bits=\(serverMaxWindowBits)"
    }

    /// Takes the first offer that this server can meet; an offer that is malformed, or out of range, or unknown, is
    /// passed over (RFC 7692, section 5.1).
    ///
    /// - Parameter offers: the combined value of the request's Sec-WebSocket-Extensions fields.
    /// - Returns: nil if no offer will do; the connection goes on without compression.
    static func negotiate(offers: String, configuration: DeflateConfiguration) -> DeflateParameters? {
        var parser = ExtensionOffers(offers)
        while let offer = parser.next() {
            if let offer, let agreed = accept(offer, configuration) { return agreed }
        }
        return nil
    }

    private static func accept(_ offer: ExtensionOffer, _ configuration: DeflateConfiguration) -> DeflateParameters? {
        guard offer.name.lowercased() == "permessage-deflate" else { return nil }
        var seen: Set<String> = []
        var serverMaxWindowBits: UInt8?
        for (name, value) in offer.parameters {
            guard seen.insert(name).inserted else { return nil }
            switch (name, value) {
            case ("server_no_context_takeover", nil), ("client_no_context_takeover", nil):
                break
            case ("client_max_window_bits", let value):
                // A hint about the client's window. Ours reads them all, so nothing follows from it.
                if let value, windowBits(value) == nil { return nil }
            case ("server_max_window_bits", let value?):
                guard let bits = windowBits(value), bits >= configuration.windowBits else { return nil }
                serverMaxWindowBits = configuration.windowBits
            default:
                return nil
            }
        }
        return DeflateParameters(serverMaxWindowBits: serverMaxWindowBits)
    }

    /// A decimal integer from 8 to 15 without leading zeroes (RFC 7692, section 7.1.2).
    private static func windowBits(_ text: String) -> UInt8? {
        switch text {
        case "8": 8
        case "9": 9
        case "10": 10
        case "11": 11
        case "12": 12
        case "13": 13
        case "14": 14
        case "15": 15
        default: nil
        }
    }
}

/// One element of Sec-WebSocket-Extensions (RFC 6455, section 9.1).
struct ExtensionOffer {
    var name: String
    var parameters: [(name: String, value: String?)] = []
}

/// Reads a Sec-WebSocket-Extensions list, element by element.
struct ExtensionOffers {
    private let bytes: [UInt8]
    private var index = 0

    init(_ fieldValue: String) {
        bytes = Array(fieldValue.utf8)
    }

    /// The next element; the inner nil is one that is malformed. The outer nil ends the list.
    mutating func next() -> ExtensionOffer?? {
        skip { $0 == UInt8(ascii: ",") || HTTPSyntax.isBlank($0) }
        guard index < bytes.count else { return .none }
        guard let offer = element() else {
            // On to the next element. A comma inside a quoted string may be taken for a separator here; then what
            // follows is malformed too, or an offer that the client did spell out.
            skip { $0 != UInt8(ascii: ",") }
            return .some(nil)
        }
        return offer
    }

    private mutating func element() -> ExtensionOffer? {
        guard let name = token() else { return nil }
        var offer = ExtensionOffer(name: name)
        while true {
            skip(HTTPSyntax.isBlank)
            guard index < bytes.count, bytes[index] != UInt8(ascii: ",") else { return offer }
            guard take(";") else { return nil }
            skip(HTTPSyntax.isBlank)
            guard let parameter = token() else { return nil }
            skip(HTTPSyntax.isBlank)
            var value: String?
            if take("=") {
                skip(HTTPSyntax.isBlank)
                value = take("\"") ? quotedToken() : token()
                guard value != nil else { return nil }
            }
            offer.parameters.append((parameter.lowercased(), value))
        }
    }

    private mutating func token() -> String? {
        let start = index
        skip(HTTPSyntax.isTokenByte)
        return index > start ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
    }

    /// What stands between quotes must be a token too, once its escapes are undone (RFC 6455, section 9.1).
    private mutating func quotedToken() -> String? {
        var value: [UInt8] = []
        while index < bytes.count {
            if take("\"") { return value.isEmpty ? nil : String(decoding: value, as: UTF8.self) }
            _ = take("\\")
            guard index < bytes.count, HTTPSyntax.isTokenByte(bytes[index]) else { return nil }
            value.append(bytes[index])
            index += 1
        }
        return nil
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard index < bytes.count, bytes[index] == UInt8(ascii: scalar) else { return false }
        index += 1
        return true
    }

    private mutating func skip(_ condition: (UInt8) -> Bool) {
        while index < bytes.count, condition(bytes[index]) { index += 1 }
    }
}
