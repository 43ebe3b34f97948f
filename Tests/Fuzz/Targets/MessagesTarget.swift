internal import GoHubCore

@testable import GoHubWire

extension FuzzTarget {
    /// The stream of one client, up to whole messages. The first byte chooses how the rest is split, the second the
    /// limits and whether compression was negotiated.
    static let messages = FuzzTarget("messages", bytesMax: 8192) { bytes in
        var input = FuzzInput(bytes)
        let cut = input.byte()
        let options = input.byte()
        let limits = WebSocketReader.Limits(
            messageBytesMax: [0, 100, 200, 65_536][Int(options >> 1) % 4],
            framesPerMessageMax: options & 0x08 == 0 ? 4 : 256)
        // Shared by all readers, as in a loop: no state may stay in it.
        let inflater = options & 1 == 1 ? try Inflater() : nil
        let stream = Array(input.rest)
        func read(_ parts: [[UInt8]], pausing: Bool = false) -> ReadMessages {
            ReadMessages(parts, WebSocketReader(limits: limits, inflater: inflater), pausing: pausing)
        }
        let whole = read([stream])
        try requireEqual(whole, read(stream.parts(cut: cut)), "messages are read alike however they are cut")
        try requireEqual(whole, read([stream], pausing: true), "messages are read alike with pauses")
        try requireEqual(
            whole, read(stream.parts(cut: cut), pausing: true), "messages are read alike with cuts and pauses")
        for message in whole.messages { try message.check(limits) }
        if let close = whole.messages.firstIndex(where: \.isClose) {
            try require(close == whole.messages.count - 1 && whole.error == nil, "nothing is read after a close frame")
        }
        if let error = whole.error {
            try require([1002, 1007, 1009].contains(error.rawValue), "a client's mistake has a client's code")
        }
    }
}

/// A reader's complete output for a stream.
private struct ReadMessages: Equatable {
    enum Message: Equatable {
        case text([UInt8])
        case binary([UInt8])
        case ping([UInt8])
        case pong([UInt8])
        case close(CloseCode, String)

        init(_ input: WebSocketReader.Input) {
            switch input {
            case .text(let bytes): self = .text(Array(bytes))
            case .binary(let bytes): self = .binary(Array(bytes))
            case .ping(let bytes): self = .ping(Array(bytes))
            case .pong(let bytes): self = .pong(Array(bytes))
            case .close(let code, let reason): self = .close(code, reason)
            }
        }

        var isClose: Bool {
            if case .close = self { true } else { false }
        }

        func check(_ limits: WebSocketReader.Limits) throws {
            switch self {
            case .text(let bytes):
                try require(bytes.count <= limits.messageBytesMax, "a text is within its bound")
                try require(String(validating: bytes, as: UTF8.self) != nil, "a text is UTF-8")
            case .binary(let bytes):
                try require(bytes.count <= limits.messageBytesMax, "a binary message is within its bound")
            case .ping(let bytes), .pong(let bytes): try require(bytes.count <= 125, "a control frame is short")
            case .close(let code, let reason):
                try require(reason.utf8.count <= 123, "a close frame's reason is short")
                try require(code == .noStatus || code.isValidOnTheWire, "a close frame has a code for the wire")
            }
        }
    }

    var messages: [Message] = []
    var error: CloseCode?
    var isInsideMessage = false

    init(_ parts: [[UInt8]], _ reader: WebSocketReader, pausing: Bool) {
        var reader = reader
        // One more part after the end, which must have no effect.
        for part in parts {
            var part = part
            // The array belongs to this function and may be unmasked in place.
            part.withUnsafeMutableBytes { read($0, &reader, pausing: pausing) }
            if error != nil { break }
        }
        isInsideMessage = reader.isInsideMessage
        if reader.isFinished {
            var more: [UInt8] = [0x81, 0x80, 0, 0, 0, 0]
            more.withUnsafeMutableBytes { read($0, &reader, pausing: pausing) }
        }
    }

    private mutating func read(_ bytes: UnsafeMutableRawBufferPointer, _ reader: inout WebSocketReader, pausing: Bool) {
        var rest = bytes
        while true {
            do throws(WebSocketError) {
                let done = try reader.read(rest, isPaused: { pausing }) {
                    messages.append(Message($0))
                    return true
                }
                guard done < rest.count else { return }
                rest = UnsafeMutableRawBufferPointer(rebasing: rest[done...])
            } catch {
                self.error = error.closeCode
                return
            }
        }
    }
}
