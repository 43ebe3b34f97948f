/// The agreed parameters of one connection under permessage-deflate (RFC 7692, section 7.1).
///
/// Neither side keeps its context: the server because all subscribers share the bytes of a message, the client so that
/// no window is kept for each connection. The server requires the latter without a request, which section 7.1.1.2
/// allows.
struct DeflateParameters: Sendable, Equatable {
    /// The server's window, if the client limited it.
    let serverMaxWindowBits: UInt8?

    /// The value of the response's Sec-WebSocket-Extensions.
    var fieldValue: String {
        let base = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        guard let serverMaxWindowBits else { return base }
        return base + "; server_max_window_bits=\(serverMaxWindowBits)"
    }

    /// Accepts the first offer that this server supports. Unsupported offers are declined: unknown ones, and ones with
    /// an unknown, repeated or out-of-range parameter (RFC 7692, sections 5.1 and 7.1).
    ///
    /// - Returns: `nil` if no offer is acceptable; the connection continues without compression.
    static func negotiate(offers: [ExtensionOffer], configuration: DeflateConfiguration) -> DeflateParameters? {
        for offer in offers {
            if let agreed = accept(offer, configuration) { return agreed }
        }
        return nil
    }

    private static func accept(_ offer: ExtensionOffer, _ configuration: DeflateConfiguration) -> DeflateParameters? {
        guard offer.name.lowercased() == "permessage-deflate" else { return nil }
        var seen: Set<String> = []
        var serverMaxWindowBits: UInt8?
        for parameter in offer.parameters {
            guard seen.insert(parameter.name).inserted else { return nil }
            switch (parameter.name, parameter.value) {
            case ("server_no_context_takeover", nil), ("client_no_context_takeover", nil):
                break
            case ("client_max_window_bits", let value):
                // A hint about the client's window. Our window is large enough for all, so it has no effect.
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
