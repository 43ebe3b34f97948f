import GoHubCore
import GoHubTestSupport
import Testing

@testable import GoHubWire

/// Writes frames as a client does: masked, and with any errors that a test needs.
enum ClientFrames {
    static let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]

    /// - Parameters:
    ///   - opcode: any four bits, reserved ones too.
    ///   - reserved: RSV1–3 as the upper three of seven bits: 4 is RSV1.
    ///   - lengthBits: 7, 16 or 64; nil for the shortest that fits.
    static func frame(
        _ opcode: UInt8, _ payload: [UInt8] = [], isFinal: Bool = true, reserved: UInt8 = 0, isMasked: Bool = true,
        key: [UInt8] = ClientFrames.key, lengthBits: Int? = nil
    ) -> [UInt8] {
        header(
            opcode, length: UInt64(payload.count), isFinal: isFinal, reserved: reserved, isMasked: isMasked, key: key,
            lengthBits: lengthBits) + (isMasked ? mask(payload, key) : payload)
    }

    /// A header alone, which may announce a payload that never comes.
    static func header(
        _ opcode: UInt8, length: UInt64, isFinal: Bool = true, reserved: UInt8 = 0, isMasked: Bool = true,
        key: [UInt8] = ClientFrames.key, lengthBits: Int? = nil
    ) -> [UInt8] {
        var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | reserved << 4 | opcode]
        let maskBit: UInt8 = isMasked ? 0x80 : 0
        switch lengthBits ?? (length <= 125 ? 7 : length <= 0xFFFF ? 16 : 64) {
        case 7: bytes.append(maskBit | UInt8(length))
        case 16: bytes += [maskBit | 126] + bigEndian(length).suffix(2)
        default: bytes += [maskBit | 127] + bigEndian(length)
        }
        return isMasked ? bytes + key : bytes
    }

    static func text(_ text: String, isFinal: Bool = true) -> [UInt8] { frame(1, Array(text.utf8), isFinal: isFinal) }

    static func binary(_ payload: [UInt8], isFinal: Bool = true) -> [UInt8] { frame(2, payload, isFinal: isFinal) }

    static func continuation(_ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        frame(0, payload, isFinal: isFinal)
    }

    static func continuation(_ text: String, isFinal: Bool = true) -> [UInt8] {
        continuation(Array(text.utf8), isFinal: isFinal)
    }

    static func ping(_ payload: [UInt8] = []) -> [UInt8] { frame(9, payload) }

    static func pong(_ payload: [UInt8] = []) -> [UInt8] { frame(10, payload) }

    static func close(_ code: UInt16, _ reason: String = "") -> [UInt8] {
        frame(8, bigEndian(UInt64(code)).suffix(2) + Array(reason.utf8))
    }

    /// The payload of a frame that the server wrote, to be sent back as a client's.
    static func payload(ofServerFrame frame: [UInt8]) -> [UInt8] {
        let short = frame[1] & 0x7F
        return Array(frame.dropFirst(short == 127 ? 10 : short == 126 ? 4 : 2))
    }

    /// One byte at a time, by the formula of section 5.3.
    static func mask(_ payload: [UInt8], _ key: [UInt8]) -> [UInt8] {
        payload.enumerated().map { $1 ^ key[$0 % 4] }
    }

    static func bigEndian(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
    }
}

/// Records a reader's output.
enum Received: Equatable {
    case text(String)
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    case close(CloseCode, String)

    init(_ input: WebSocketReader.Input) {
        switch input {
        case .text(let bytes): self = .text(String(decoding: bytes, as: UTF8.self))
        case .binary(let bytes): self = .binary(Array(bytes))
        case .ping(let bytes): self = .ping(Array(bytes))
        case .pong(let bytes): self = .pong(Array(bytes))
        case .close(let code, let reason): self = .close(code, reason)
        }
    }
}

/// The complete output for a byte stream.
struct Outcome: Equatable {
    var received: [Received] = []
    var error: CloseCode?

    /// The output for a stream that arrives whole, byte by byte and in random parts. All three must agree.
    static func of(
        _ bytes: [UInt8], limits: WebSocketReader.Limits, inflater: Inflater? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Outcome {
        func read(_ parts: [[UInt8]]) -> Outcome {
            var reader = WebSocketReader(limits: limits, inflater: inflater)
            return reader.outcome(of: parts)
        }
        let whole = read([bytes])
        if bytes.count <= 4096 {
            #expect(read(bytes.map { [$0] }) == whole, "byte by byte", sourceLocation: sourceLocation)
        }
        for seed in 0..<10 {
            var numbers = SeededRandom(seed: UInt64(seed))
            let parts = numbers.split(bytes, partBytesMax: max(bytes.count / 3, 2))
            #expect(read(parts) == whole, "split with seed \(seed)", sourceLocation: sourceLocation)
        }
        return whole
    }
}

extension WebSocketReader {
    /// Feeds the parts of a stream, each from memory of its own, so that a retained pointer is detected.
    mutating func outcome(of parts: [[UInt8]]) -> Outcome {
        var outcome = Outcome()
        for part in parts {
            var part = part
            do {
                // The array belongs to this function, hence mutable in place.
                _ = try part.withUnsafeMutableBufferPointer { (bytes) throws(WebSocketError) in
                    try read(UnsafeMutableRawBufferPointer(bytes)) {
                        outcome.received.append(Received($0))
                        return true
                    }
                }
            } catch {
                outcome.error = error.closeCode
                return outcome
            }
        }
        return outcome
    }
}
