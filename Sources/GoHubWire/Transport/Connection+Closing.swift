internal import Glibc
internal import GoHubCore
internal import GoHubTLS

extension Connection {
    /// Ends the conversation with a close frame (RFC 6455, section 7.1.2), after everything accepted before; after an
    /// overflow, only after a partly written frame.
    func close(_ code: CloseCode) {
        guard isOpen else { return }
        phase = .closing(peerHasClosed: false, until: closingDeadline)
        // A record has at most 16 KiB.
        if code == .slowConsumer || code == .resyncNeeded { outgoing.cut(recordBytesMax: tls == nil ? 0 : 16 * 1024) }
        append(FrameEncoder.closeFrame(code))
        beginClosing()
    }

    /// The deadline of a close that begins now.
    var closingDeadline: MonotonicTime { loop.now + settings.configuration.closeTimeout }

    func beginClosing() {
        messageDeadline = nil
        resumeReading()
        scheduleFlush()
        arm()
    }

    /// Ends the TCP connection once both close frames have been exchanged and ours is written.
    func finishClosingIfWritten() {
        guard !hasOutput else { return }
        switch phase {
        case .closing(peerHasClosed: true, until: let deadline):
            phase = .lingering(until: deadline)
            finishWriting()
        case .lingering: finishWriting()
        default: break
        }
    }

    /// Writes only what is still queued.
    func linger() {
        phase = .lingering(until: closingDeadline)
        isReadingPaused = false
        updateInterest()
        scheduleFlush()
        arm()
    }

    /// Half-closes our side and waits for the peer's end, so that its last bytes don't reset the connection under ours.
    private func finishWriting() {
        tls?.shutdown()
        // Further input is discarded without decrypting it.
        tls = nil
        (readWantsWrite, writeWantsRead) = (false, false)
        updateInterest()
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Ends the connection immediately.
    func abort(_ reason: String?) {
        guard !isClosed else { return }
        if let reason { services.note(self, reason) }
        if case .http(let relay) = phase { relay.close() }
        let companion = companion
        phase = .closed
        resources.directSends.block(descriptor)
        loop.unregister(descriptor)
        tls?.shutdown()
        tls = nil
        Glibc.close(descriptor)
        unread = []
        outgoing.removeAll()
        if let companion { owner.ended(companion) }
        owner.closed(self)
    }
}
