/// The reason why a frame isn't a message for this node. Nothing but a count follows: whoever may publish can send
/// anything.
package enum FrameError: Error, Hashable, Sendable {
    /// Shorter than its header, or not written as its kind and format demand.
    case malformed
    /// Of a format that this version doesn't read.
    case unknownFormat(UInt8)
    /// Of a kind, or with a case, that this version doesn't know.
    case unknownKind(UInt8)
    /// Of a kind that doesn't belong to its topic.
    case misplaced
    /// Without the MAC that the key demands, or with another one.
    case unauthenticated
    /// The message is longer than a frame may be. Only for a message to be sent.
    case tooLong

    /// A short stable name, usable as a metric label.
    package var label: String {
        switch self {
        case .malformed: "malformed"
        case .unknownFormat: "unknown_format"
        case .unknownKind: "unknown_kind"
        case .misplaced: "misplaced"
        case .unauthenticated: "unauthenticated"
        case .tooLong: "too_long"
        }
    }
}
