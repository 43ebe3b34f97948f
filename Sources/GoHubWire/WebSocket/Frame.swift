internal import GoHubCore

/// The type of a frame (RFC 6455, section 5.2). Opcodes 3–7 and 11–15 are reserved and have no case.
enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Close, ping and pong, which may occur between the fragments of a message (RFC 6455, section 5.5).
    var isControl: Bool { rawValue & 0x8 != 0 }
}

/// The head of one frame from a client, already checked against RFC 6455, section 5.2.
struct FrameHeader: Equatable, Sendable {
    /// Two bytes, up to eight of length, four of masking key.
    static let bytesMax = 14

    /// The maximum payload of a control frame (RFC 6455, section 5.5).
    static let controlPayloadBytesMax = 125

    /// Length of the payload on the wire, before any inflation.
    var payloadBytes: Int
    var maskingKey: MaskingKey
    var opcode: Opcode
    /// FIN: the last (or only) frame of its message.
    var isFinal: Bool
    /// RSV1: the first frame of a message under permessage-deflate (RFC 7692, section 6).
    var isCompressed: Bool
}

/// A peer's violation of the WebSocket protocol or of a limit, with the code to close the connection with.
struct WebSocketError: Error, Equatable, Sendable, CustomStringConvertible {
    let closeCode: CloseCode
    /// For the log; never contains payload bytes.
    let message: String

    var description: String { "\(closeCode.rawValue): \(message)" }

    static func protocolError(_ message: String) -> WebSocketError {
        WebSocketError(closeCode: .protocolError, message: message)
    }

    static func invalidPayload(_ message: String) -> WebSocketError {
        WebSocketError(closeCode: .invalidPayload, message: message)
    }

    static func tooBig(_ message: String) -> WebSocketError {
        WebSocketError(closeCode: .messageTooBig, message: message)
    }

    static func internalError(_ message: String) -> WebSocketError {
        WebSocketError(closeCode: .internalError, message: message)
    }
}
