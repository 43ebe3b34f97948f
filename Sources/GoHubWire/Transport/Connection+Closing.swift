internal import Glibc
internal import GoHubCore

extension Connection {
    /// Ends the conversation with a close frame (RFC 6455, section 7.1.2), after what was accepted before; after an
    /// overflow, after nothing but the frame that is half written.
    func close(_ code: CloseCode) {
        guard isOpen else { return }
        phase = .closing(peerHasClosed: false)
        // A record has 16 KiB at the most.
        if code == .slowConsumer || code == .resyncNeeded { outgoing.cut(recordBytesMax: tls == nil ? 0 : 16 * 1024) }
        append(FrameEncoder.closeFrame(code))
        beginClosing()
    }

    func beginClosing() {
        closingDeadline = loop.now + settings.configuration.closeTimeout
        messageDeadline = nil
        resumeReading()
        scheduleFlush()
        arm()
    }

    /// Both close frames are there and ours is written: the TCP connection can end.
    func finishClosingIfWritten() {
        guard !hasOutput else { return }
        switch phase {
        case .closing(peerHasClosed: true):
            phase = .lingering
            finishWriting()
        case .lingering: finishWriting()
        default: break
        }
    }

    /// Only what is queued is still written.
    func linger() {
        closingDeadline = loop.now + settings.configuration.closeTimeout
        isReadingPaused = false
        updateInterest()
        scheduleFlush()
        arm()
    }

    /// Tells the peer that no more comes; its own end is then awaited, so that its last bytes don't reset the
    /// connection under ours.
    private func finishWriting() {
        tls?.shutdown()
        // What still comes is thrown away as it is: it needs no decrypting.
        tls = nil
        (readWantsWrite, writeWantsRead) = (false, false)
        updateInterest()
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Ends the connection at once.
    func abort(_ reason: String?) {
        guard !isClosed else { return }
        if let reason { services.note(self, reason) }
        if case .http(let relay) = phase { relay.close() }
        phase = .closed
        resources.lanes.block(descriptor)
        loop.unregister(descriptor)
        tls?.shutdown()
        tls = nil
        Glibc.close(descriptor)
        unread = []
        outgoing.removeAll()
        owner.ended(self)
        owner.closed(self)
    }
}
