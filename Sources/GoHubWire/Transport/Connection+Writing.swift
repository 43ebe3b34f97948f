internal import Glibc
internal import GoHubCore
internal import GoHubSystem
internal import GoHubTLS

/// The output path: frames for this client alone are collected until the end of the turn; a room's frames come as a run
/// of bytes shared by all of its subscribers. Bytes that the socket doesn't accept at once wait in `outgoing`, counted
/// in bytes.
extension Connection: WritePump {
    var hasOutput: Bool { !outgoing.isEmpty }

    /// A client that has taken everything of the last turn is bounded only by its own queue.
    func hasSpace(for bytes: Int) -> Bool {
        let waiting = outgoing.waitingBytes + bytes
        return waiting <= settings.queueBytesMax && (outgoing.isUnblocked || waiting <= resources.queued.free)
    }

    /// Reports to the owner when the queue rises above the watermark, and when it has fallen to half of it.
    private func noteBacklog() {
        let watermark = settings.queueWatermarkBytes
        let isBehind = outgoing.blockedBytes > (isBacklogged ? watermark / 2 : watermark)
        guard isBehind != isBacklogged else { return }
        isBacklogged = isBehind
        if let companion { owner.backlogChanged(companion, isBacklogged: isBehind) }
    }

    // MARK: Frames for this client

    func offer(_ event: EncodedEvent) -> OfferResult {
        event.bytes.withUnsafeBytes { offer($0) }
    }

    /// - Parameter event: one event's JSON, which is copied.
    func offer(_ event: UnsafeRawBufferPointer) -> OfferResult {
        let frameBytes = FrameEncoder.frameBytes(payloadBytes: event.count)
        relieve(before: frameBytes)
        guard isOpen, hasSpace(for: frameBytes) else { return .overflow }
        if outgoing.pending.isEmpty { outgoing.pending = resources.spareBuffers.take() }
        if usesDeflate, let deflater = resources.deflater {
            appendCompressed(event, deflater)
        } else {
            FrameEncoder.append(event, opcode: .text, to: &outgoing.pending)
        }
        // A session that asks for page after page must learn within the turn that its client doesn't take them.
        if !isBacklogged, outgoing.waitingBytes > settings.queueWatermarkBytes { writeEarly() }
        scheduleFlush()
        return isBacklogged ? .acceptedAboveWatermark : .accepted
    }

    private func appendCompressed(_ payload: UnsafeRawBufferPointer, _ deflater: Deflater) {
        var frames: [UInt8] = []
        do throws(WebSocketError) {
            try deflater.appendFrame(payload, opcode: .text, to: &frames)
            outgoing.pending += frames
        } catch {
            // Any message may be sent uncompressed (RFC 7692, section 6).
            FrameEncoder.append(payload, opcode: .text, to: &outgoing.pending)
        }
    }

    /// For echoes and tests: sends a frame of any kind.
    func send(_ payload: UnsafeRawBufferPointer, opcode: Opcode) {
        guard isOpen, hasSpace(for: FrameEncoder.frameBytes(payloadBytes: payload.count)) else { return }
        if usesDeflate, let deflater = resources.deflater, !opcode.isControl {
            try? deflater.appendFrame(payload, opcode: opcode, to: &outgoing.pending)
        } else {
            FrameEncoder.append(payload, opcode: opcode, to: &outgoing.pending)
        }
        scheduleFlush()
    }

    /// Writes bytes that are no frames: an HTTP response, or data from a tunnel.
    func write(_ bytes: [UInt8]) {
        append(bytes)
        scheduleFlush()
    }

    /// Appends the last bytes of a connection, which are always accepted: they are few.
    func append(_ bytes: [UInt8]) {
        outgoing.pending += bytes
    }

    func scheduleFlush() {
        resources.directSends.block(descriptor)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        services.needsFlush(self)
    }

    // MARK: Frames for a room

    /// Sends a room's frames of this turn.
    ///
    /// With nothing queued it writes directly to the socket; then no byte is copied and no reference taken.
    ///
    /// - Parameter copy: a copy of the frames, shared by all connections that have to queue them.
    /// - Returns: `overflow` when the client must be dropped.
    func deliver(_ frames: [UInt8], _ copy: inout SharedCopy) -> OfferResult {
        guard isOpen else { return .accepted }
        if hasOutput { relieve(before: frames.count) }
        guard hasOutput else { return took(trySend(frames, from: 0), of: frames, &copy) }
        guard hasSpace(for: frames.count) else { return .overflow }
        // A client with waiting replies gets both in one call.
        if outgoing.isUnblocked {
            outgoing.pending += frames
            return .accepted
        }
        return enqueue(copy.queued(frames, in: resources.queued))
    }

    /// Handles the result of sending a room's frames when nothing was queued.
    ///
    /// - Returns: `overflow` when the client must be dropped.
    func took(_ result: SendResult, of frames: [UInt8], _ copy: inout SharedCopy) -> OfferResult {
        switch result {
        case .sent(let count) where count == frames.count: return .accepted
        case .sent(let count): return begin(copy.queued(frames, in: resources.queued), written: count)
        // Not here, because the room is being iterated.
        case .failed(let reason):
            breakLater(reason)
            return .accepted
        }
    }

    /// Handles the outcome of a room's frames that TLS did not accept completely.
    func took(_ outcome: TLSEngine.Outcome, of frames: [UInt8], _ copy: inout SharedCopy) -> OfferResult {
        guard let tls else { return .accepted }
        return took(frames.withUnsafeBytes { send($0, by: tls, after: outcome) }, of: frames, &copy)
    }

    /// Keeps the rest of partly written frames; without it not even the close frame could be sent.
    private func begin(_ frames: QueuedFrames, written count: Int) -> OfferResult {
        resources.directSends.block(descriptor)
        outgoing.begin(frames, written: count)
        updateInterest()
        noteBacklog()
        return resources.queued.free < 0 ? .overflow : .accepted
    }

    private func enqueue(_ frames: QueuedFrames) -> OfferResult {
        let result = outgoing.enqueue(frames, resources.queued)
        guard result != .overflow else { return .overflow }
        updateInterest()
        noteBacklog()
        return result
    }

    // MARK: The socket

    enum SendResult {
        case sent(Int)
        case failed(String?)

        /// The result of a `send`. Create it directly after the call.
        init(_ count: Int) {
            if count >= 0 {
                self = .sent(count)
            } else {
                switch errno {
                case EAGAIN: self = .sent(0)
                case EPIPE, ECONNRESET: self = .failed(nil)
                default: self = .failed(systemErrorText(errno))
                }
            }
        }
    }

    /// One attempt; 0 bytes when the socket is full.
    private func trySend(_ bytes: [UInt8], from start: Int) -> SendResult {
        bytes.withUnsafeBytes { buffer in
            let rest = UnsafeRawBufferPointer(rebasing: buffer[start...])
            guard let tls else {
                return SendResult(
                    retryingInterrupts {
                        Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                    })
            }
            return send(rest, by: tls, after: tls.write(rest))
        }
    }

    /// Writes record by record until everything is accepted or the socket is full.
    ///
    /// - Parameter first: the outcome of the first write of `bytes`.
    private func send(
        _ bytes: UnsafeRawBufferPointer, by tls: TLSEngine, after first: consuming TLSEngine.Outcome
    ) -> SendResult {
        var outcome = first
        var sent = 0
        while true {
            switch outcome {
            case .ok(let count):
                sent += count
                guard sent < bytes.count else { return .sent(sent) }
                outcome = tls.write(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
            case .wantWrite: return .sent(sent)
            case .wantRead:
                writeWantsRead = true
                return .sent(sent)
            case .closed: return .failed(nil)
            case .failed(let error): return .failed("\(error)")
            }
        }
    }

    /// Writes queued bytes for as long as the socket accepts them.
    func flush() {
        isFlushScheduled = false
        guard !isClosed else { return }
        // A full socket accepts more only because the peer has taken something.
        let wasBlocked = !outgoing.isUnblocked
        switch writeOut() {
        case .sent where isOpen && !wasBlocked && !outgoing.isUnblocked && resources.queued.free < 0:
            owner.overflowed(self)
        case .sent(let count): flushed(peerTookSome: wasBlocked && count > 0)
        case .failed(let reason): abort(reason)
        }
    }

    /// Writes before the turn's end when much is queued: the replies of one turn can exceed the queue although the
    /// client accepts them without delay.
    private func relieve(before bytes: Int) {
        if outgoing.pending.count > settings.queueWatermarkBytes || !hasSpace(for: bytes) { writeEarly() }
    }

    private func writeEarly() {
        guard isOpen else { return }
        switch writeOut() {
        case .sent:
            updateInterest()
            noteBacklog()
        case .failed(let reason): breakLater(reason)
        }
    }

    /// - Returns: the number of bytes that the socket accepted.
    private func writeOut() -> SendResult {
        if var own = outgoing.takePending() {
            let result = trySend(own, from: 0)
            guard case .sent(let count) = result else { return result }
            if count < own.count { outgoing.begin(QueuedFrames(copying: own, resources.queued), written: count) }
            resources.spareBuffers.give(&own)
            return result
        }
        var total = 0
        while let next = outgoing.next(resources.queued) {
            let result = trySend(next.bytes, from: next.start)
            guard case .sent(let count) = result else { return result }
            total += count
            guard outgoing.wrote(count) else {
                enqueuePending()
                break
            }
        }
        return .sent(total)
    }

    /// Moves the rest of a turn's frames behind the queue, so that the next turn starts empty. Last bytes stay where
    /// they are: they must not be refused.
    private func enqueuePending() {
        guard !outgoing.pending.isEmpty, isOpen else { return }
        if outgoing.enqueuePending(resources.queued) == .overflow { return breakLater(nil) }
        updateInterest()
        noteBacklog()
    }

    private func flushed(peerTookSome: Bool) {
        updateInterest()
        if peerTookSome, let companion { owner.noteActivity(companion) }
        noteBacklog()
        if case .http(let relay) = phase, !hasOutput { relay.clientTookAll() }
        if !hasOutput { finishClosingIfWritten() }
        if isOpen, !hasOutput, !usesDeflate {
            resources.directSends.clear(descriptor, tls: tls)
        } else {
            resources.directSends.block(descriptor)
        }
    }

    /// Breaks the transport at the end of the turn.
    private func breakLater(_ reason: String?) {
        if let reason { services.note(self, "send: \(reason)") }
        shutdown(descriptor, Int32(SHUT_RDWR))
        // The socket now reports that it is broken, and the loop calls back.
    }
}
