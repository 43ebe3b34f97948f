/// The first line of a request (RFC 9112, section 3), without its CRLF.
struct RequestLine {
    let method: String
    let target: String
    let path: String
    let query: String?
    /// The host and port of a target in absolute form.
    let authority: String?
    let version: RequestHead.Version

    init(_ line: UnsafeRawBufferPointer) throws(UpgradeRejection) {
        let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        guard let first = parts.first, !first.isEmpty, first.allSatisfy(HTTPSyntax.isTokenByte) else {
            throw .badRequest("The request line does not start with a method.")
        }
        guard parts.count == 3 else {
            throw .badRequest("The request line is not of the form 'method target HTTP/1.1'.")
        }
        method = String(decoding: first, as: UTF8.self)
        version = try RequestLine.version(parts[2], method: method)
        // Visible ASCII; fragments aren't sent (RFC 9112, section 3.2).
        guard !parts[1].isEmpty, parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw .badRequest("The request target contains a character that must be percent-encoded.")
        }
        guard method != "CONNECT" else {
            throw UpgradeRejection(status: .notImplemented, reason: "CONNECT is not supported.")
        }
        target = String(decoding: parts[1], as: UTF8.self)
        let originForm: Substring
        (authority, originForm) = try RequestLine.split(target, method: method)
        let mark = originForm.utf8.firstIndex(of: UInt8(ascii: "?"))
        let rawPath = originForm[..<(mark ?? originForm.endIndex)]
        path = rawPath.isEmpty ? "/" : String(rawPath)
        query = mark.map { String(originForm[originForm.utf8.index(after: $0)...]) }
    }

    /// `HTTP/` and two digits (RFC 9112, section 2.3). A minor version above 1 is served as 1.1 (RFC 9110, section
    /// 2.5).
    private static func version(_ bytes: Slice<UnsafeRawBufferPointer>, method: String) throws(UpgradeRejection)
        -> RequestHead.Version
    {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let tail = Array(bytes.suffix(3))
        guard bytes.count == 8, bytes.starts(with: "HTTP/".utf8), tail[1] == UInt8(ascii: "."),
            digits.contains(tail[0]), digits.contains(tail[2])
        else { throw .badRequest("The request line does not end in an HTTP version.") }
        guard tail[0] == UInt8(ascii: "1") else {
            if method == "PRI" { throw .http2PriorKnowledge }
            throw UpgradeRejection(status: .versionNotSupported, reason: "Only HTTP/1.1 is supported.")
        }
        return tail[2] == UInt8(ascii: "0") ? .http10 : .http11
    }

    /// Removes the scheme and the authority from a target in absolute form (RFC 9112, section 3.2).
    private static func split(
        _ target: String, method: String
    ) throws(UpgradeRejection) -> (authority: String?, originForm: Substring) {
        if target.utf8.first == UInt8(ascii: "/") { return (nil, target[...]) }
        if target == "*", method == "OPTIONS" { return (nil, target[...]) }
        for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.utf8.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            let authority = String(rest[..<end])
            guard Authority.isValid(authority) else { throw .badRequest("The request target's host is malformed.") }
            return (authority, rest[end...])
        }
        throw .badRequest("The request target does not start with '/'.")
    }
}

/// A host and an optional port, as in Host and in an origin (RFC 3986, sections 3.2.2 and 3.2.3).
struct Authority: Equatable {
    /// A name in lower case, or an address as written by `SocketAddress`, IPv6 in brackets. So one host has one text.
    let host: String
    let port: UInt16?

    /// `nil` if it is malformed: empty, with user information, with a port out of range, or with an invalid address
    /// such as `127.1`, `0x7f000001` or `127.000.000.001`, which software interprets in different ways.
    init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        let hostEnd: Int
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")),
                bytes[1..<close].contains(UInt8(ascii: ":")),
                let address = SocketAddress(ip: String(decoding: bytes[1..<close], as: UTF8.self))
            else { return nil }
            hostEnd = close + 1
            host = "[\(address.text)]"
        } else {
            hostEnd = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
            guard hostEnd > 0, bytes[..<hostEnd].allSatisfy(Authority.isNameByte) else { return nil }
            host = String(decoding: bytes[..<hostEnd], as: UTF8.self).lowercased()
            guard !Authority.endsInNumber(host) || SocketAddress(ip: host) != nil else { return nil }
        }
        // A colon without a port stands for the scheme's default.
        let portText = bytes[hostEnd...].dropFirst()
        guard hostEnd == bytes.count || bytes[hostEnd] == UInt8(ascii: ":") else { return nil }
        if portText.isEmpty {
            port = nil
        } else {
            guard portText.count <= 5, portText.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = UInt16(String(decoding: portText, as: UTF8.self))
            else { return nil }
            port = number
        }
    }

    static func isValid(_ text: some StringProtocol) -> Bool { Authority(text) != nil }

    /// Whether it must be an IPv4 address: no top-level domain is a number, so browsers parse such a name as one
    /// (WHATWG URL, "ends in a number checker").
    private static func endsInNumber(_ host: String) -> Bool {
        var labels = host.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count > 1, labels.last == "" { labels.removeLast() }
        guard let last = labels.last, let first = last.utf8.first else { return false }
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return digits.contains(first)
            && (last.utf8.allSatisfy(digits.contains)
                || last.hasPrefix("0x") && UInt64(last.dropFirst(2), radix: 16) != nil)
    }

    /// Registered names and IPv4 addresses; only the punctuation that real names have.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"), UInt8(ascii: "%"):
            true
        default: false
        }
    }
}
