internal import Glibc
internal import GoHubCore

/// The way out: frames for this client alone gather in `pending` until the end of the turn; a room's frames come as a
/// shared segment. What the socket doesn't take at once waits in `current` and `queue`, counted in bytes.
extension Connection: WritePump {
    var hasOutput: Bool { !pending.isEmpty || current != nil || !queue.isEmpty }

    /// What the socket didn't take at once.
    private var blockedBytes: Int { queue.byteCount + (current.map { $0.byteCount - written } ?? 0) }

    func hasSpace(for bytes: Int) -> Bool {
        bytes <= owner.settings.queueBytesMax - blockedBytes - pending.count
    }

    /// Tells the owner when what waits rises above the watermark, and when it has fallen to half of it.
    private func noteBacklog() {
        let watermark = owner.settings.queueWatermarkBytes
        let isBehind = blockedBytes > (isBacklogged ? watermark / 2 : watermark)
        guard isBehind != isBacklogged else { return }
        isBacklogged = isBehind
        owner.backlogChanged(self, isBacklogged: isBehind)
    }

    // MARK: Frames for this client

    func offer(_ event: EncodedEvent) -> OfferResult {
        let frameBytes = FrameEncoder.frameBytes(payloadBytes: event.bytes.count)
        relieve(before: frameBytes)
        guard isOpen, hasSpace(for: frameBytes) else { return .overflow }
        if usesDeflate, let deflater = owner.deflater {
            appendCompressed(event.bytes, deflater)
        } else {
            FrameEncoder.append(event.bytes, opcode: .text, to: &pending)
        }
        scheduleFlush()
        return isBacklogged ? .acceptedAboveWatermark : .accepted
    }

    private func appendCompressed(_ payload: [UInt8], _ deflater: Deflater) {
        do throws(WebSocketError) {
            let frames: Result<[UInt8], WebSocketError> = payload.withUnsafeBytes { bytes in
                do throws(WebSocketError) {
                    var frames: [UInt8] = []
                    try deflater.appendFrame(bytes, opcode: .text, to: &frames)
                    return .success(frames)
                } catch {
                    return .failure(error)
                }
            }
            pending += try frames.get()
        } catch {
            // Any message may go uncompressed (RFC 7692, section 6).
            FrameEncoder.append(payload, opcode: .text, to: &pending)
        }
    }

    /// Echoes and tests: a frame of any kind.
    func send(_ payload: UnsafeRawBufferPointer, opcode: Opcode) {
        guard isOpen, hasSpace(for: FrameEncoder.frameBytes(payloadBytes: payload.count)) else { return }
        if usesDeflate, let deflater = owner.deflater, !opcode.isControl {
            try? deflater.appendFrame(payload, opcode: opcode, to: &pending)
        } else {
            FrameEncoder.append(payload, opcode: opcode, to: &pending)
        }
        scheduleFlush()
    }

    /// Bytes that are no frames: an HTTP response, or what comes through a tunnel.
    func write(_ bytes: [UInt8]) {
        append(bytes)
        scheduleFlush()
    }

    /// Last bytes may always be added: they are few.
    func append(_ bytes: [UInt8]) {
        pending += bytes
    }

    func scheduleFlush() {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        owner.needsFlush(self)
    }

    // MARK: Frames for a room

    /// Sends a room's frames of this turn.
    ///
    /// Straight into the socket when nothing waits before them; no byte is copied and no reference taken then.
    ///
    /// - Returns: `overflow` when the client is to be dropped.
    func deliver(_ frames: [UInt8]) -> OfferResult {
        guard isOpen else { return .accepted }
        if hasOutput { relieve(before: frames.count) }
        guard hasOutput else { return sendDirectly(frames) }
        guard hasSpace(for: frames.count) else { return .overflow }
        // A client that has replies waiting gets both in one call.
        if !pending.isEmpty, current == nil, queue.isEmpty {
            pending += frames
            return .accepted
        }
        return enqueue(frames)
    }

    private func sendDirectly(_ frames: [UInt8]) -> OfferResult {
        switch trySend(frames, from: 0) {
        case .sent(let count) where count == frames.count: return .accepted
        case .sent(let count):
            current = Segment(bytes: frames)
            written = count
            updateInterest()
            noteBacklog()
            return .accepted
        case .failed(let reason):
            // Not here: the room is being walked through.
            breakLater(reason)
            return .accepted
        }
    }

    private func enqueue(_ frames: [UInt8]) -> OfferResult {
        if !pending.isEmpty {
            let first = Segment(bytes: pending)
            pending = []
            guard queue.offer(first) != .overflow else { return .overflow }
        }
        let result = queue.offer(Segment(bytes: frames))
        updateInterest()
        noteBacklog()
        return result
    }

    // MARK: The socket

    enum SendResult {
        case sent(Int)
        case failed(String?)
    }

    /// One attempt; 0 bytes when the socket is full.
    private func trySend(_ bytes: [UInt8], from start: Int) -> SendResult {
        bytes.withUnsafeBytes { buffer in
            let rest = UnsafeRawBufferPointer(rebasing: buffer[start...])
            guard let tls else {
                let count = retryingInterrupts {
                    Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                }
                if count >= 0 { return .sent(count) }
                switch errno {
                case EAGAIN: return .sent(0)
                case EPIPE, ECONNRESET: return .failed(nil)
                default: return .failed(systemErrorText(errno))
                }
            }
            // A record at a time, until all is taken or the socket is full.
            var sent = 0
            while sent < rest.count {
                switch tls.write(UnsafeRawBufferPointer(rebasing: rest[sent...])) {
                case .ok(let count): sent += count
                case .wantWrite: return .sent(sent)
                case .wantRead:
                    writeWantsRead = true
                    return .sent(sent)
                case .closed: return .failed(nil)
                case .failed(let error): return .failed("\(error)")
                }
            }
            return .sent(sent)
        }
    }

    /// Writes what waits, for as long as the socket takes it.
    func flush() {
        isFlushScheduled = false
        guard !isClosed else { return }
        // A socket that was full takes more only because the peer has taken something.
        let wasBlocked = current != nil
        switch writeOut() {
        case .sent(let count): flushed(peerTookSome: wasBlocked && count > 0)
        case .failed(let reason): abort(reason)
        }
    }

    /// Writes before the turn's end when much waits: the replies of one turn can be more than the queue holds, though
    /// the client takes them as fast as they come.
    private func relieve(before bytes: Int) {
        guard isOpen, pending.count > owner.settings.queueWatermarkBytes || !hasSpace(for: bytes) else { return }
        switch writeOut() {
        case .sent: updateInterest()
        case .failed(let reason): breakLater(reason)
        }
    }

    /// - Returns: how many bytes the socket took.
    private func writeOut() -> SendResult {
        var total = 0
        while true {
            if current == nil {
                if let next = queue.take() {
                    current = next
                } else if !pending.isEmpty {
                    current = Segment(bytes: pending)
                    pending = []
                } else {
                    return .sent(total)
                }
                written = 0
            }
            guard let segment = current else { return .sent(total) }
            switch trySend(segment.bytes, from: written) {
            case .failed(let reason): return .failed(reason)
            case .sent(let count):
                written += count
                total += count
                guard written == segment.bytes.count else {
                    notePending()
                    return .sent(total)
                }
                current = nil
            }
        }
    }

    /// What is left of a turn's frames goes behind the queue, so that the next turn starts afresh. Last bytes stay
    /// where they are: they must not be refused.
    private func notePending() {
        guard !pending.isEmpty, isOpen else { return }
        let bytes = pending
        pending = []
        if enqueue(bytes) == .overflow { breakLater(nil) }
    }

    private func flushed(peerTookSome: Bool) {
        updateInterest()
        if peerTookSome { owner.heard(self) }
        noteBacklog()
        if case .tunnelled(let tunnel) = phase, !hasOutput { tunnel.clientTookAll() }
        if !hasOutput { finishClosingIfWritten() }
    }

    /// Breaks the transport at the end of the turn.
    private func breakLater(_ reason: String?) {
        if let reason { owner.note(self, "send: \(reason)") }
        shutdown(descriptor, Int32(SHUT_RDWR))
        // The socket now tells that it is broken, and the loop calls.
    }
}
