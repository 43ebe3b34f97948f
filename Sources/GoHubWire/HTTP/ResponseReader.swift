/// Finds the end of a response of the HTTP server behind the hub (RFC 9112, section 6.3).
///
/// That server is part of the daemon and trusted. A response that can't be parsed, or with too long a head, is taken to
/// end with its connection, so that nothing of it is lost.
struct ResponseReader {
    /// A longer head isn't parsed.
    private static let headBytesMax = 64 * 1024

    private let isToHEAD: Bool
    private var head: [UInt8] = []
    /// `nil` until the head of the final response is complete.
    private var body: MessageBody?
    /// Whether the server says that the connection ends after this response (RFC 9112, section 9.6).
    private(set) var isLast = false

    /// - Parameter method: the method of the request.
    init(to method: String) {
        isToHEAD = method == "HEAD"
    }

    var isComplete: Bool { body?.isComplete ?? false }

    /// Processes the server's next bytes.
    ///
    /// - Returns: how many of them belong to the response: all, unless it is complete.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        var taken = 0
        while body == nil, taken < bytes.count {
            head.append(bytes[taken])
            taken += 1
            if head.last == UInt8(ascii: "\n"), head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
                readHead()
            } else if head.count == Self.headBytesMax {
                end(with: .untilClose)
            }
        }
        guard taken < bytes.count else { return taken }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
        do throws(UpgradeRejection) {
            return taken + (try body?.take(rest) ?? 0)
        } catch {
            end(with: .untilClose)
            return bytes.count
        }
    }

    private mutating func end(with body: MessageBody) {
        head = []
        self.body = body
        if body == .untilClose { isLast = true }
    }

    private mutating func readHead() {
        var lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")[...]
        let statusLine = lines.popFirst()?.split(separator: " ", maxSplits: 2) ?? []
        guard statusLine.count > 1, statusLine[0].hasPrefix("HTTP/1."), let status = Int(statusLine[1]) else {
            return end(with: .untilClose)
        }
        var length: UInt64?
        var isChunked = false
        for line in lines {
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = line[..<colon]
            let value = HTTPSyntax.trimmed(line[line.utf8.index(after: colon)...])
            if HTTPSyntax.equals(name, lowercase: "content-length") {
                length = UInt64(value)
            } else if HTTPSyntax.equals(name, lowercase: "transfer-encoding") {
                isChunked = HTTPSyntax.equals(value, lowercase: "chunked")
            } else if HTTPSyntax.equals(name, lowercase: "connection"), HTTPSyntax.equals(value, lowercase: "close") {
                isLast = true
            }
        }
        if statusLine[0] == "HTTP/1.0" { isLast = true }
        switch status {
        // Interim: another head follows (RFC 9110, section 15.2).
        case 100, 102...199: head = []
        case 204, 304: end(with: .none)
        case _ where isToHEAD: end(with: .none)
        case _ where isChunked: end(with: .chunked(ChunkedBody()))
        default: end(with: length.map { .length($0) } ?? .untilClose)
        }
    }
}
