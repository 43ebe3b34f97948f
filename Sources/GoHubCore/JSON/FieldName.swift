/// The names of a command's fields, distinguished by their bytes: no string is created for a name.
enum FieldName: String {
    case op, id, room, to, text, token, device, user, since, epoch, offset, limit, before, after, replyTo, active
    case rooms, ephemeral, startAfter, reaction, remove, files, alt, name, type, size, sha256, transfer
    /// Any other name, to be skipped.
    case unknown = ""

    /// - Parameter name: without quotes and escapes.
    init(_ name: UnsafeRawBufferPointer) {
        self = Self.known(name) ?? .unknown
    }

    /// The length and the first letter leave one or two candidates.
    private static func known(_ name: UnsafeRawBufferPointer) -> FieldName? {
        guard let start = name.baseAddress, let first = name.first else { return nil }
        @inline(__always)
        func match(_ literal: StaticString, _ field: FieldName) -> FieldName? {
            assert(literal.utf8CodeUnitCount == name.count)
            // As many bytes as the name has, as the case below says. The literal's count is known to the compiler.
            let isSame = Bytes.areSame(
                start, UnsafeRawPointer(literal.utf8Start), count: literal.utf8CodeUnitCount)
            return isSame ? field : nil
        }
        return switch (name.count, first) {
        case (2, UInt8(ascii: "i")): match("id", .id)
        case (2, UInt8(ascii: "o")): match("op", .op)
        case (2, UInt8(ascii: "t")): match("to", .to)
        case (3, UInt8(ascii: "a")): match("alt", .alt)
        case (4, UInt8(ascii: "n")): match("name", .name)
        case (4, UInt8(ascii: "r")): match("room", .room)
        case (4, UInt8(ascii: "s")): match("size", .size)
        case (4, UInt8(ascii: "t")): match("text", .text) ?? match("type", .type)
        case (4, UInt8(ascii: "u")): match("user", .user)
        case (5, UInt8(ascii: "a")): match("after", .after)
        case (5, UInt8(ascii: "e")): match("epoch", .epoch)
        case (5, UInt8(ascii: "f")): match("files", .files)
        case (5, UInt8(ascii: "l")): match("limit", .limit)
        case (5, UInt8(ascii: "r")): match("rooms", .rooms)
        case (5, UInt8(ascii: "s")): match("since", .since)
        case (5, UInt8(ascii: "t")): match("token", .token)
        case (6, UInt8(ascii: "a")): match("active", .active)
        case (6, UInt8(ascii: "b")): match("before", .before)
        case (6, UInt8(ascii: "d")): match("device", .device)
        case (6, UInt8(ascii: "o")): match("offset", .offset)
        case (6, UInt8(ascii: "r")): match("remove", .remove)
        case (6, UInt8(ascii: "s")): match("sha256", .sha256)
        case (7, UInt8(ascii: "r")): match("replyTo", .replyTo)
        case (8, UInt8(ascii: "r")): match("reaction", .reaction)
        case (8, UInt8(ascii: "t")): match("transfer", .transfer)
        case (9, UInt8(ascii: "e")): match("ephemeral", .ephemeral)
        case (10, UInt8(ascii: "s")): match("startAfter", .startAfter)
        default: nil
        }
    }
}
