#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The names of a command's fields, told apart by their bytes: no string is made of each to find out which one it is.
enum FieldName: String {
    case op, id, room, to, text, token, device, user, since, epoch, offset, limit, before, after, replyTo, active
    case ephemeral
    /// Some other name, to be skipped.
    case unknown = ""

    /// - Parameter name: without quotes and escapes.
    init(_ name: UnsafeRawBufferPointer) {
        self = Self.known(name) ?? .unknown
    }

    private static func known(_ name: UnsafeRawBufferPointer) -> FieldName? {
        /// `field`, if the name is this one, which has as many bytes.
        func match(_ literal: StaticString, _ field: FieldName) -> FieldName? {
            assert(literal.utf8CodeUnitCount == name.count)
            return name.baseAddress.flatMap { memcmp($0, literal.utf8Start, name.count) == 0 ? field : nil }
        }
        return switch name.count {
        case 2: match("id", .id) ?? match("op", .op) ?? match("to", .to)
        case 4: match("room", .room) ?? match("text", .text) ?? match("user", .user)
        case 5:
            match("token", .token) ?? match("since", .since) ?? match("limit", .limit) ?? match("after", .after)
                ?? match("epoch", .epoch)
        case 6:
            match("device", .device) ?? match("before", .before) ?? match("active", .active)
                ?? match("offset", .offset)
        case 7: match("replyTo", .replyTo)
        case 9: match("ephemeral", .ephemeral)
        default: nil
        }
    }
}
