/// One element of Sec-WebSocket-Extensions (RFC 6455, section 9.1).
struct ExtensionOffer: Equatable, Sendable {
    struct Parameter: Equatable, Sendable {
        /// In lower case.
        let name: String
        /// Without its quotes; `nil` if it was sent without a value.
        let value: String?
    }

    /// As it was sent.
    let name: String
    var parameters: [Parameter] = []

    /// Parses the combined value of the request's fields. Elements may be empty, but not all of them (RFC 9110, section
    /// 5.6.1.2).
    ///
    /// - Returns: `nil` if it is malformed.
    static func list(_ fieldValue: String) -> [ExtensionOffer]? {
        var parser = ExtensionOfferParser(fieldValue)
        return parser.list()
    }
}

private struct ExtensionOfferParser {
    private let bytes: [UInt8]
    private var index = 0

    init(_ fieldValue: String) {
        bytes = Array(fieldValue.utf8)
    }

    mutating func list() -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        while true {
            skip { $0 == UInt8(ascii: ",") || HTTPSyntax.isBlank($0) }
            guard index < bytes.count else { return offers.isEmpty ? nil : offers }
            guard let offer = element() else { return nil }
            offers.append(offer)
        }
    }

    /// An element up to its comma or to the end.
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
            offer.parameters.append(.init(name: parameter.lowercased(), value: value))
        }
    }

    private mutating func token() -> String? {
        let start = index
        skip(HTTPSyntax.isTokenByte)
        return index > start ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
    }

    /// A quoted value must be a token too, once its escapes are removed (RFC 6455, section 9.1).
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
