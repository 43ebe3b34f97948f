/// A message authentication code: the first 16 bytes of HMAC-SHA-256.
package struct FrameMAC: Sendable {
    package static let bytes = 16

    private let high: UInt64
    private let low: UInt64

    /// - Parameter digest: at least 16 bytes, of which the first 16 count; `nil` for fewer.
    package init?(_ digest: some Collection<UInt8>) {
        guard digest.count >= Self.bytes else { return nil }
        high = digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = digest.dropFirst(8).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// In constant time: a difference doesn't show where it is.
    func matches(_ other: FrameMAC) -> Bool { (high ^ other.high) | (low ^ other.low) == 0 }

    fileprivate func write(to writer: inout FrameWriter) {
        writer.fixed(high)
        writer.fixed(low)
    }
}

/// Computes MACs with a cluster's key, which stays outside. The two buffers are one text, the second after the first.
package typealias FrameAuthenticator =
    @Sendable (
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) -> FrameMAC

/// Writes and reads the messages of a bus as bytes. Each is one frame:
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 1 | format: 1 |
/// | 1 | 1 | the highest format that the sender reads |
/// | 2 | 1 | flags: bit 0 when a MAC follows the body; all others are 0 in format 1 |
/// | 3 | 1 | kind (`FrameKind`) |
/// | 4 | 8 | the sender's incarnation, not 0 |
/// | 12 | 8 | the sender's `HybridTime` |
/// | 20 | | body |
/// | end | 16 | with a key: the MAC |
///
/// Numbers in the header are big-endian, those in the body are LEB128 in its shortest form. The MAC is the beginning of
/// HMAC-SHA-256 over the channel's length (4 bytes), the channel, and the frame up to the MAC. So a frame can't be
/// replayed on another channel. With a key, frames without a MAC are refused; without one, MACs aren't checked.
///
/// The tenant, room and user of a message are those of its channel, and a kind on the wrong channel is refused.
///
/// Two versions of the hub read each other's frames if a new version keeps these rules:
/// 1. New fields go to the end of a body, or to the end of an entry, which has its own length. Older readers ignore
///    what follows the fields they know; newer readers take an end as the field's default.
/// 2. Older readers ignore a new kind, or a new case inside a body (`unknownKind`). What it tells must heal without it.
/// 3. A new format is written only when all live nodes read it (offset 1 of their beats). Frames of the old format are
///    read for one more release.
package struct FrameCodec: Sendable {
    private enum Format {
        static let current: UInt8 = 1
        static let headerBytes = 20
        /// A MAC follows the body.
        static let hasMAC: UInt8 = 1
    }

    private let limits: FrameLimits
    private let names: ChannelNames
    /// The first one signs, all are accepted; empty without a key.
    private let authenticators: [FrameAuthenticator]
    private var writer = FrameWriter()

    /// - Parameter authenticators: of the current key, and of earlier ones that are still accepted; empty without
    ///   `cluster.key`.
    package init(
        names: ChannelNames, authenticators: [FrameAuthenticator] = [], limits: FrameLimits = FrameLimits()
    ) {
        self.names = names
        self.authenticators = authenticators
        self.limits = limits
    }

    // MARK: Writing

    /// The bytes of a message. They are in memory of the codec, which is used again if nobody keeps them.
    ///
    /// - Parameter channel: of the message's topic.
    /// - Throws: `tooLong` for a message that must be sent in parts, or as a hint.
    package mutating func encode(_ frame: ClusterFrame, for channel: [UInt8]) throws(FrameError) -> [UInt8] {
        writer.removeAll()
        writer.byte(Format.current)
        writer.byte(Format.current)
        writer.byte(authenticators.isEmpty ? 0 : Format.hasMAC)
        writer.byte(FrameKind(frame.message).rawValue)
        writer.fixed(frame.from.value)
        writer.fixed(frame.time.value)
        writer.message(frame.message)
        if let authenticator = authenticators.first {
            let mac = writer.bytes.withUnsafeBytes { Self.mac(authenticator, channel, $0) }
            mac.write(to: &writer)
        }
        guard writer.bytes.count <= limits.frameBytesMax else { throw .tooLong }
        return writer.bytes
    }

    // MARK: Reading

    /// The node that a frame names as its sender, without a look at anything else: to recognise a node's own frames.
    package static func sender(of bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count >= Format.headerBytes else { return nil }
        return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
    }

    /// Reads a message.
    ///
    /// - Parameter topic: of the channel on which it came.
    package func decode(_ bytes: UnsafeRawBufferPointer, on topic: ClusterTopic) throws(FrameError) -> ClusterFrame {
        guard let format = bytes.first, bytes.count <= limits.frameBytesMax else { throw .malformed }
        guard format == Format.current else { throw .unknownFormat(format) }
        guard bytes.count >= Format.headerBytes, bytes[2] & ~Format.hasMAC == 0 else { throw .malformed }
        let content = try authenticated(bytes, hasMAC: bytes[2] & Format.hasMAC != 0, topic)
        var reader = FrameReader(
            UnsafeRawBufferPointer(rebasing: content[4...]), limits: limits)
        let from = try reader.incarnation()
        let time = try reader.hybridTime()
        guard let kind = FrameKind(rawValue: bytes[3]) else { throw .unknownKind(bytes[3]) }
        guard kind.belongs(to: topic) else { throw .misplaced }
        return ClusterFrame(from: from, time: time, topic: topic, try reader.message(kind, on: topic))
    }

    /// The frame without its MAC, which is checked if there is a key.
    private func authenticated(
        _ bytes: UnsafeRawBufferPointer, hasMAC: Bool, _ topic: ClusterTopic
    ) throws(FrameError) -> UnsafeRawBufferPointer {
        guard hasMAC else {
            guard authenticators.isEmpty else { throw .unauthenticated }
            return bytes
        }
        let count = bytes.count - FrameMAC.bytes
        guard count >= Format.headerBytes, let mac = FrameMAC(bytes[count...]) else { throw .malformed }
        let content = UnsafeRawBufferPointer(rebasing: bytes[..<count])
        if authenticators.isEmpty { return content }
        let channel = names.channel(of: topic)
        // All keys are tried, so that the time doesn't show which one it is.
        let isRight = authenticators.reduce(false) { Self.mac($1, channel, content).matches(mac) || $0 }
        guard isRight else { throw .unauthenticated }
        return content
    }

    /// The MAC of a frame on a channel: the channel's length in four bytes, the channel, and the frame.
    private static func mac(
        _ authenticator: FrameAuthenticator, _ channel: [UInt8], _ frame: UnsafeRawBufferPointer
    ) -> FrameMAC {
        var prefix: [UInt8] = []
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: channel.count).bigEndian) { prefix.append(contentsOf: $0) }
        prefix += channel
        return prefix.withUnsafeBytes { authenticator($0, frame) }
    }
}
