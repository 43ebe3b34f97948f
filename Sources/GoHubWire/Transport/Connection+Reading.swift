internal import Glibc
internal import GoHubCore
internal import GoHubSystem

extension Connection: EventHandler, ReadPump {
    /// Reads of decrypted bytes in one turn, so that one fast peer doesn't keep the loop to itself.
    private static let tlsReadsMax = 4

    func readable() {
        if case .handshaking = phase { return handshake() }
        if writeWantsRead {
            writeWantsRead = false
            flush()
        }
        // A read that was put off may find the connection closed, and its descriptor another's.
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

    /// At most as many as the loop's buffer has. Of a request's head no more than it may have, since what comes before its
    /// turn has to be held.
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
        // What OpenSSL has decrypted already is not told by the socket.
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

    /// New bytes from the peer, for whatever the connection is at.
    private func consume(_ bytes: UnsafeMutableRawBufferPointer) {
        switch phase {
        case .readingHead: readHead(UnsafeRawBufferPointer(bytes))
        case .open, .closing: readFrames(bytes)
        case .http(let relay): relay.received(UnsafeRawBufferPointer(bytes))
        // A client that speaks before it was let in is not read until then.
        case .authorizing: abort("bytes before the handshake's response")
        case .lingering, .handshaking, .closed: break
        }
    }

    /// The peer sends no more.
    private func peerFinished() {
        if case .http(let relay) = phase {
            // The response to a half-closed request is still on its way.
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
        // Neither these bytes nor those that TLS may hold are told of by the socket.
        if tls != nil || !unread.isEmpty { loop.scheduleRead(self) }
    }

    /// Watches for what the connection waits for, in one system call and only when it changes.
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
