/// The bounds of a server's replies, each with its unit and its reason.
///
/// A length is checked as soon as it is announced, before memory is reserved for it.
package struct RESPLimits: Hashable, Sendable {
    /// Bytes of a simple string or an error. Redis' own are shorter than 300.
    package var lineBytesMax = 4 * 1024
    /// Bytes of a bulk string. The longest is a message of the bus; `INFO server` has less than 2 KiB.
    package var bulkBytesMax = 2 * 1024 * 1024
    /// Values in one reply, including its arrays. The longest reply is `ROLE` of a master, with three for each replica.
    package var valuesMax = 4096
    /// Arrays inside each other; `ROLE` has three.
    package var depthMax = 4
    /// Bytes of a whole reply.
    package var replyBytesMax = 4 * 1024 * 1024
    /// Bytes of memory for received bytes that a connection keeps. Longer replies use more for as long as they take.
    package var bufferBytes = 64 * 1024

    package init() {}

    /// Checks the relations between the bounds.
    ///
    /// - Returns: one sentence for each contradiction; empty when the limits are consistent.
    package func contradictions() -> [String] {
        var found: [String] = []
        func require(_ holds: Bool, _ sentence: String) {
            if !holds { found.append(sentence) }
        }
        require(lineBytesMax >= 64, "lineBytesMax must be at least 64, or the reason of an error is lost")
        require(
            bulkBytesMax < replyBytesMax - 4096,
            "replyBytesMax must exceed bulkBytesMax by more than 4 KiB for a channel")
        // Positions are added without a check for overflow.
        require(replyBytesMax <= 1 << 30, "replyBytesMax must be at most 1 GiB")
        require(valuesMax >= 64, "valuesMax must be at least 64")
        require(depthMax >= 3, "depthMax must be at least 3, as many as ROLE has")
        require(bufferBytes >= 1024, "bufferBytes must be at least 1 KiB")
        return found
    }
}
