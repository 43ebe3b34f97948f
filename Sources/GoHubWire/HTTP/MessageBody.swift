/// Finds the end of the body of an HTTP message (RFC 9112, section 6.3).
enum MessageBody: Equatable {
    case length(UInt64)
    case chunked(ChunkedBody)
    /// The body of a response that ends with the connection.
    case untilClose

    static let none = MessageBody.length(0)

    /// The body of a request; `RequestHeadParser` has checked that its head has only one interpretation.
    init(of head: RequestHead) {
        if head.count(of: "transfer-encoding") > 0 {
            self = .chunked(ChunkedBody())
        } else {
            self = .length(head.first("content-length").flatMap { UInt64($0) } ?? 0)
        }
    }

    var isComplete: Bool {
        switch self {
        case .length(let left): left == 0
        case .chunked(let body): body.isComplete
        case .untilClose: false
        }
    }

    /// Processes the connection's next bytes.
    ///
    /// - Returns: how many of them belong to the body: all, unless it is complete.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(UpgradeRejection) -> Int {
        switch self {
        case .length(let left):
            let count = Int(min(left, UInt64(bytes.count)))
            self = .length(left - UInt64(count))
            return count
        case .chunked(var body):
            let count = try body.take(bytes)
            self = .chunked(body)
            return count
        case .untilClose: return bytes.count
        }
    }
}
