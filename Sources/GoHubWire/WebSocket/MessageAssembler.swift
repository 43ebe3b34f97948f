internal import GoHubCore

/// A message that didn't arrive in one piece: several frames, or one frame over several reads.
///
/// It exists only while such a message is in progress, so that an idle connection holds no memory. Its buffer grows as
/// bytes arrive, never by a header's announcement.
final class MessageAssembler {
    let opcode: Opcode
    let isCompressed: Bool
    /// The payload so far, as on the wire (still compressed if the message is).
    private(set) var bytes: [UInt8] = []
    private var frames = 0
    private var utf8 = UTF8Validator()

    /// - Parameter header: the header of the message's first frame: text or binary.
    init(startingWith header: FrameHeader) {
        opcode = header.opcode
        isCompressed = header.isCompressed
    }

    /// Checks a further frame of the message against the limits, as soon as its header is known.
    func beginFrame(_ header: FrameHeader, limits: WebSocketReader.Limits) throws(WebSocketError) {
        frames += 1
        guard frames <= limits.framesPerMessageMax else {
            throw .tooBig("a message has more than \(limits.framesPerMessageMax) fragments")
        }
        let bytesMax = limits.wireBytesMax(isCompressed: isCompressed)
        // `bytes.count` never exceeds `bytesMax`, by this very check on the previous frames.
        guard header.payloadBytes <= bytesMax - bytes.count else {
            throw .tooBig("a message is longer than \(limits.messageBytesMax) bytes")
        }
    }

    /// Keeps a part of the current frame. Uncompressed text is validated here, so that it fails immediately.
    func append(_ chunk: UnsafeRawBufferPointer) throws(WebSocketError) {
        guard opcode != .text || isCompressed || utf8.accept(chunk) else {
            throw .invalidPayload("a text message is not UTF-8")
        }
        bytes.append(contentsOf: chunk)
    }

    /// Checks conditions that only the end of the message can show.
    func finish() throws(WebSocketError) {
        guard utf8.isComplete else {
            throw .invalidPayload("a text message ends inside a UTF-8 character")
        }
    }
}
