/// The bounds of frames, each with its unit and its reason.
package struct FrameLimits: Hashable, Sendable {
    /// Bytes of a frame, which is one bulk string for Redis and its readers.
    package var frameBytesMax = 1024 * 1024
    /// Bytes of a message's text. More than `Limits.textBytesMax` can be, which an operator may raise.
    package var textBytesMax = 64 * 1024
    /// Bytes of a user's name, which a token gives.
    package var nameBytesMax = 4 * 1024
    /// Elements of a list.
    package var elementsMax = 100_000

    package init() {}
}
