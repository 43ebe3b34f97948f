internal import GoHubCore

extension WebSocketReader.Input {
    fileprivate var isMessage: Bool {
        switch self {
        case .text, .binary: true
        case .ping, .pong, .close: false
        }
    }
}

extension Connection {
    /// Processes new bytes of the WebSocket.
    func readFrames(_ bytes: UnsafeMutableRawBufferPointer) {
        do throws(WebSocketError) {
            // The reader's closures may use the connection, except for the reader itself.
            var hasEndedMessage = false
            let count = try reader.read(bytes, isPaused: { isReadingPaused }) { input in
                if input.isMessage { hasEndedMessage = true }
                receive(input)
                return !isFinished
            }
            if count < bytes.count { unread = Array(bytes[count...]) }
            if reader.isInsideMessage {
                // A message that begins after another has its own time limit; control frames inside it do not extend
                // it.
                let known = hasEndedMessage ? nil : messageDeadline
                messageDeadline = known ?? loop.now + settings.configuration.messageTimeout
            } else {
                messageDeadline = nil
            }
            // The input may bring a deadline closer, as the answer to a ping does.
            arm()
        } catch {
            fail(error)
        }
    }

    private var isFinished: Bool {
        switch phase {
        case .open, .closing(peerHasClosed: false, until: _): false
        default: true
        }
    }

    private func receive(_ input: WebSocketReader.Input) {
        if case .close(let code, _) = input { return peerClosed(code) }
        // After our close frame only the peer's is awaited (RFC 6455, section 5.5.1).
        guard case .open(let companion) = phase else { return }
        switch input {
        case .text(let text): owner.received(self, companion, text: text)
        case .binary(let bytes): owner.received(self, companion, binary: bytes)
        case .ping(let payload):
            owner.receivedControl(companion)
            if isOpen { sendControl(.pong, payload) }
        case .pong: owner.receivedControl(companion)
        case .close: break
        }
    }

    /// Answers a ping. An answer that can't be queued is dropped: the client is over its limit and will be closed for
    /// that.
    private func sendControl(_ opcode: Opcode, _ payload: UnsafeRawBufferPointer) {
        guard hasSpace(for: FrameEncoder.frameBytes(payloadBytes: payload.count)) else { return owner.overflowed(self) }
        FrameEncoder.append(payload, opcode: opcode, to: &outgoing.pending)
        scheduleFlush()
    }

    /// Handles a protocol violation: later input isn't read, including the peer's close frame (RFC 6455, section
    /// 7.1.7).
    func fail(_ error: WebSocketError) {
        services.note(self, "closed: \(error)")
        let companion = companion
        close(error.closeCode)
        if let companion { owner.ended(companion) }
        guard case .closing(_, let deadline) = phase else { return }
        phase = .closing(peerHasClosed: true, until: deadline)
        finishClosingIfWritten()
    }

    private func peerClosed(_ code: CloseCode) {
        switch phase {
        case .open(let companion):
            // The same code is returned (RFC 6455, section 5.5.1).
            phase = .closing(peerHasClosed: true, until: closingDeadline)
            append(FrameEncoder.closeFrame(code, reason: ""))
            beginClosing()
            owner.ended(companion)
        case .closing(_, let deadline):
            phase = .closing(peerHasClosed: true, until: deadline)
            finishClosingIfWritten()
        default: break
        }
    }
}
