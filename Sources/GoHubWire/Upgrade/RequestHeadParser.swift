/// Finds and parses a request's head in the bytes received so far (RFC 9112, sections 2–6).
///
/// Strict, because requests that aren't upgrades are passed on to another HTTP server, and requests are smuggled when
/// two servers parse one request differently. So a bare LF, a folded line, white space before the colon, a second Host,
/// and two lengths are all refused.
///
/// A value for one connection's first bytes. It remembers its progress, so that a head that arrives byte by byte costs
/// no more than one that arrives whole.
struct RequestHeadParser {
    struct Limits: Sendable, Equatable {
        /// The whole head with its empty line; beyond, 431.
        var headBytesMax = 16 * 1024
        /// The request line; beyond, 414. RFC 9112, section 3 requires at least 8,000.
        var requestLineBytesMax = 8 * 1024
        /// Field lines; beyond, 431.
        var fieldsMax = 100
    }

    enum Progress: Equatable {
        case needMore
        /// The head takes the first `headLength` bytes; the rest belongs to the body or the next protocol.
        case complete(RequestHead, headLength: Int)
        /// The connection must be answered with this and closed.
        case failed(UpgradeRejection)
    }

    private let limits: Limits
    /// Every byte before this was examined.
    private var scanned = 0
    private var lineStart = 0
    private var requestLine: Range<Int>?
    private var fieldLines = 0

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Examines the bytes that are new since the last call.
    ///
    /// - Parameter bytes: all bytes of the connection so far: those of the last call, and any number more.
    mutating func parse(_ bytes: UnsafeRawBufferPointer) -> Progress {
        do throws(UpgradeRejection) {
            guard let end = try scan(bytes) else { return .needMore }
            let head = try RequestHeadParser.read(bytes, requestLine: requestLine ?? 0..<0, end: end)
            return .complete(head, headLength: end)
        } catch {
            return .failed(error)
        }
    }

    // MARK: Lines

    /// Processes new bytes line by line. Returns the end of the head, after its empty line; `nil` if it is incomplete.
    private mutating func scan(_ bytes: UnsafeRawBufferPointer) throws(UpgradeRejection) -> Int? {
        if scanned == 0, let first = bytes.first { try RequestHeadParser.checkFirstByte(first) }
        let end = min(bytes.count, limits.headBytesMax)
        while scanned < end {
            defer { scanned += 1 }
            guard bytes[scanned] == UInt8(ascii: "\n") else { continue }
            guard scanned > lineStart, bytes[scanned - 1] == UInt8(ascii: "\r") else {
                throw .badRequest("A line of the request head ends in LF without CR.")
            }
            let line = lineStart..<scanned - 1
            lineStart = scanned + 1
            if try take(line, bytes) { return scanned + 1 }
        }
        if requestLine == nil {
            // A CR whose LF has not arrived yet isn't part of the line.
            let hasCR = scanned > lineStart && bytes[scanned - 1] == UInt8(ascii: "\r")
            let lineBytes = scanned - lineStart - (hasCR ? 1 : 0)
            guard lineBytes <= limits.requestLineBytesMax else { throw RequestHeadParser.lineTooLong }
        }
        guard bytes.count < limits.headBytesMax else {
            throw UpgradeRejection(status: .fieldsTooLarge, reason: "The request head is too large.")
        }
        return nil
    }

    /// Processes a complete line. Returns whether it is the empty line that ends the head.
    private mutating func take(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(UpgradeRejection) -> Bool {
        guard requestLine != nil else {
            // One empty line before the request is tolerated (RFC 9112, section 2.2).
            if line.isEmpty, line.lowerBound == 0 { return false }
            guard line.count <= limits.requestLineBytesMax else { throw RequestHeadParser.lineTooLong }
            // Checked early: there is no need to wait for a client of HTTP/0.9 or HTTP/2.
            _ = try RequestLine(UnsafeRawBufferPointer(rebasing: bytes[line]))
            requestLine = line
            return false
        }
        guard !line.isEmpty else { return true }
        guard !HTTPSyntax.isBlank(bytes[line.lowerBound]) else {
            throw .badRequest("A header line is folded or starts with white space.")
        }
        fieldLines += 1
        guard fieldLines <= limits.fieldsMax else {
            throw UpgradeRejection(status: .fieldsTooLarge, reason: "The request head has too many fields.")
        }
        return false
    }

    private static let lineTooLong = UpgradeRejection(status: .uriTooLong, reason: "The request line is too long.")

    /// Immediately rejects a byte that can't start a request.
    private static func checkFirstByte(_ byte: UInt8) throws(UpgradeRejection) {
        // The content type of a TLS handshake record (RFC 8446, section 5.1).
        guard byte != 0x16 else { throw .tlsOnPlainPort }
        guard HTTPSyntax.isTokenByte(byte) || byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") else {
            throw .badRequest("This is not an HTTP request.")
        }
    }

    // MARK: Content

    /// Parses a head whose lines are known to end in CRLF and not to be folded.
    private static func read(
        _ bytes: UnsafeRawBufferPointer, requestLine: Range<Int>, end: Int
    ) throws(UpgradeRejection) -> RequestHead {
        let line = try RequestLine(UnsafeRawBufferPointer(rebasing: bytes[requestLine]))
        var fields: [RequestHead.Field] = []
        fields.reserveCapacity(16)
        var start = requestLine.upperBound + 2
        while start < end - 2 {
            // Every line up to `end` ends in CRLF: a LF is found.
            var lineFeed = start
            while bytes[lineFeed] != UInt8(ascii: "\n") { lineFeed += 1 }
            fields.append(try field(UnsafeRawBufferPointer(rebasing: bytes[start..<lineFeed - 1])))
            start = lineFeed + 1
        }
        let head = RequestHead(
            method: line.method, target: line.target, path: line.path, query: line.query, version: line.version,
            fields: fields)
        try checkHost(head, authority: line.authority)
        try checkBodyLength(head)
        return head
    }

    private static func field(_ line: UnsafeRawBufferPointer) throws(UpgradeRejection) -> RequestHead.Field {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw .badRequest("A header line has no colon.")
        }
        let name = UnsafeRawBufferPointer(rebasing: line[..<colon])
        guard !name.isEmpty, name.allSatisfy(HTTPSyntax.isTokenByte) else {
            throw .badRequest(
                name.last.map(HTTPSyntax.isBlank) == true
                    ? "A header's name is followed by white space before the colon." : "A header's name is not a token."
            )
        }
        var start = colon + 1
        var end = line.count
        while start < end, HTTPSyntax.isBlank(line[start]) { start += 1 }
        while start < end, HTTPSyntax.isBlank(line[end - 1]) { end -= 1 }
        let value = UnsafeRawBufferPointer(rebasing: line[start..<end])
        guard value.allSatisfy(HTTPSyntax.isFieldValueByte) else {
            throw .badRequest("A header's value contains a control character.")
        }
        return RequestHead.Field(
            name: String(decoding: name, as: UTF8.self).lowercased(), value: String(decoding: value, as: UTF8.self))
    }

    /// Requires one well-formed Host (RFC 9112, section 3.2), equal to that of an absolute target.
    private static func checkHost(_ head: RequestHead, authority: String?) throws(UpgradeRejection) {
        let count = head.count(of: "host")
        guard count <= 1 else { throw .badRequest("The request has more than one Host.") }
        guard let host = head.host else {
            guard head.version == .http10 else { throw .badRequest("The request has no Host.") }
            return
        }
        guard Authority.isValid(host) else { throw .badRequest("The request's Host is malformed.") }
        guard authority == nil || authority?.lowercased() == host.lowercased() else {
            throw .badRequest("The request's target and its Host name different hosts.")
        }
    }

    /// Requires at most one indication of the body's length (RFC 9112, sections 6.1–6.3).
    private static func checkBodyLength(_ head: RequestHead) throws(UpgradeRejection) {
        let lengths = head.count(of: "content-length")
        guard lengths <= 1 else { throw .badRequest("The request has more than one Content-Length.") }
        if let length = head.first("content-length") {
            let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
            guard !length.isEmpty, length.utf8.allSatisfy(digits.contains), UInt64(length) != nil else {
                throw .badRequest("The request's Content-Length is not a number.")
            }
        }
        guard let coding = head.combined("transfer-encoding") else { return }
        guard lengths == 0 else { throw .badRequest("The request has both Content-Length and Transfer-Encoding.") }
        guard head.version == .http11 else { throw .badRequest("HTTP/1.0 has no Transfer-Encoding.") }
        guard HTTPSyntax.equals(coding, lowercase: "chunked") else {
            throw UpgradeRejection(status: .notImplemented, reason: "The only supported transfer coding is chunked.")
        }
    }
}
