/// The reason why received bytes aren't RESP2, or exceed a bound. The stream is lost: nothing shows where the next
/// reply begins.
package enum RESPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The first byte of a value is none of `+`, `-`, `:`, `$` and `*`.
    case unknownType(UInt8)
    /// A line has a CR or LF that isn't part of its end.
    case malformedLine
    /// A number or a length has other characters than digits, or exceeds 64 bits.
    case malformedNumber
    /// A bulk string is longer or shorter than announced.
    case malformedBulk
    case lineTooLong
    case bulkTooLong
    case replyTooLong
    case tooManyValues
    case tooDeep

    /// A phrase without capital and full stop.
    package var description: String {
        switch self {
        case .unknownType(let byte): "a value begins with the byte \(byte), which is no type of RESP2"
        case .malformedLine: "a line has a line break that isn't its end"
        case .malformedNumber: "a number or a length is malformed"
        case .malformedBulk: "a bulk string doesn't end where it should"
        case .lineTooLong: "a line is longer than the limit"
        case .bulkTooLong: "a bulk string is longer than the limit"
        case .replyTooLong: "a reply is longer than the limit"
        case .tooManyValues: "a reply has more values than the limit"
        case .tooDeep: "the arrays of a reply are nested deeper than the limit"
        }
    }
}
