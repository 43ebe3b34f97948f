internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS

extension Connection: EventHandler, ReadPump {
    /// Decrypting reads per turn, so that one fast peer doesn't monopolise the loop.
    private static let tlsReadsMax = 4

    func readable() {
        if case .handshaking = phase { return handshake() }
        if writeWantsRead {
            writeWantsRead = false
            flush()
        }
        // A deferred read may find the connection closed, and its descriptor reused.
        guard !isReadingPaused, !isClosed else { return }
        if !unread.isEmpty {
            var bytes = unread
            unread = []
            bytes.withUnsafeMutableBytes { consume($0) }
            guard !isReadingPaused, !isClosed else { return }
        }
        guard tls == nil else { return readTLS() }
        let buffer = loop.readBuffer
        let count = retryingInterrupts { recv(descriptor, buffer.baseAddress, readBytesMax, 0) }
        if count > 0 {
            consume(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
        } else if count == 0 {
            peerFinished()
        } else if errno != EAGAIN {
            abort("recv: \(systemErrorText(errno))")
        }
    }

    /// At most the size of the loop's buffer. For a request head at most its limit, because bytes that arrive early
    /// must be held.
    private var readBytesMax: Int {
        switch phase {
        case .readingHead(let head): max(1, settings.head.headBytesMax - head.bytes.count)
        case .http(let relay): min(loop.readBuffer.count, relay.readBytesMax)
        default: loop.readBuffer.count
        }
    }

    private func readTLS() {
        for _ in 0..<Self.tlsReadsMax {
            guard let tls, !isReadingPaused, !isClosed else { return }
            readWantsWrite = false
            switch tls.read(into: UnsafeMutableRawBufferPointer(rebasing: loop.readBuffer[..<readBytesMax])) {
            case .ok(let count): consume(UnsafeMutableRawBufferPointer(rebasing: loop.readBuffer[..<count]))
            case .wantRead: return
            case .wantWrite:
                readWantsWrite = true
                return updateInterest()
            case .closed: return peerFinished()
            case .failed(let error): return abort("TLS: \(error)")
            }
        }
        // The socket doesn't report bytes that OpenSSL has already decrypted.
        if !isClosed, tls?.pendingBytes ?? 0 > 0 { loop.scheduleRead(self) }
    }

    private func handshake() {
        guard let tls else { return }
        readWantsWrite = false
        switch tls.handshake() {
        case .done:
            phase = .readingHead(
                HeadBuffer(parser: RequestHeadParser(limits: settings.head), bytes: HeldBytes(resources.held)))
            updateInterest()
            readTLS()
        case .wantRead: updateInterest()
        case .wantWrite:
            readWantsWrite = true
            updateInterest()
        case .closed: abort(nil)
        case .failed(let error): abort("TLS handshake: \(error)")
        }
    }

    /// Processes new bytes from the peer, by the connection's phase.
    private func consume(_ bytes: UnsafeMutableRawBufferPointer) {
        switch phase {
        case .readingHead: readHead(UnsafeRawBufferPointer(bytes))
        case .open, .closing: readFrames(bytes)
        case .http(let relay): relay.received(UnsafeRawBufferPointer(bytes))
        // A client that sends before it is accepted is not read until then.
        case .authorizing: abort("data before the handshake's response")
        case .lingering, .handshaking, .closed: break
        }
    }

    /// Handles the end of the peer's stream.
    private func peerFinished() {
        if case .http(let relay) = phase {
            // The response to a half-closed request is still in progress.
            isReadingPaused = true
            updateInterest()
            return relay.clientFinished()
        }
        abort(nil)
    }

    func broken() {
        abort(nil)
    }

    func writable() {
        if case .handshaking = phase { return handshake() }
        flush()
        if readWantsWrite, !isClosed { readable() }
    }

    // MARK: The pump

    func pauseReading() {
        guard !isReadingPaused else { return }
        isReadingPaused = true
        updateInterest()
    }

    func resumeReading() {
        guard isReadingPaused else { return }
        isReadingPaused = false
        updateInterest()
        // The socket reports neither these bytes nor those inside the TLS engine.
        if tls != nil || !unread.isEmpty { loop.scheduleRead(self) }
    }

    /// Updates the watched events, in one system call and only when they change.
    func updateInterest() {
        guard !isClosed else { return }
        var wanted: Interest = []
        if !isReadingPaused || writeWantsRead { wanted.insert(.read) }
        if readWantsWrite || (hasOutput && !writeWantsRead) { wanted.insert(.write) }
        guard wanted != interest else { return }
        interest = wanted
        loop.update(descriptor, wanted)
    }
}
