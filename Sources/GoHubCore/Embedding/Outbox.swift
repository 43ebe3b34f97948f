internal import Synchronization

/// A write pump for transports that a task writes: the hub offers, the task takes.
///
/// Bounded like every other pump: a task that doesn't keep up gets `closed(.slowConsumer)` at the end.
public final class Outbox: WritePump, Sendable {
    /// An item for the transport.
    public enum Item: Sendable {
        /// One text message to write.
        case event(EncodedEvent)
        /// The last item: close the transport with this code.
        case closed(CloseCode)
    }

    private struct State {
        var queue: OutboundQueue<EncodedEvent>
        var closeCode: CloseCode?
        var isFinished = false
        var waiting: CheckedContinuation<Item?, Never>?
    }

    private let state: Mutex<State>
    private let onWritable: @Sendable () -> Void

    /// - Parameters:
    ///   - limits: the bound and the watermark of the queue.
    ///   - onWritable: called when the queue has fallen below its watermark again.
    public init(limits: Limits = Limits(), onWritable: @escaping @Sendable () -> Void = {}) {
        let queue = OutboundQueue<EncodedEvent>(
            bytesMax: limits.queueBytesMax, watermarkBytes: limits.queueWatermarkBytes)
        state = Mutex(State(queue: queue))
        self.onWritable = onWritable
    }

    public func offer(_ event: EncodedEvent) -> OfferResult {
        let (result, waiting) = state.withLock { state -> (OfferResult, CheckedContinuation<Item?, Never>?) in
            guard state.closeCode == nil, !state.queue.hasOverflowed else { return (.overflow, nil) }
            if let waiting = state.waiting {
                state.waiting = nil
                return (.accepted, waiting)
            }
            return (state.queue.offer(event), nil)
        }
        waiting?.resume(returning: .event(event))
        return result
    }

    public func close(_ code: CloseCode) {
        let waiting = state.withLock { state -> CheckedContinuation<Item?, Never>? in
            guard state.closeCode == nil else { return nil }
            state.closeCode = code
            // After an overflow only the close is written, because remaining events would hide the gap.
            if state.queue.hasOverflowed { state.queue.removeAll() }
            state.isFinished = state.waiting != nil
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: .closed(code))
    }

    /// Waits for the next item to write; for one task at a time.
    ///
    /// - Returns: `nil` after `closed`, or when the task is cancelled.
    public func next() async -> Item? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (item, isWritable) = state.withLock { state -> (Item??, Bool) in
                    let wasAbove = state.queue.isAboveWatermark
                    if let event = state.queue.take() {
                        return (.some(.event(event)), wasAbove && !state.queue.isAboveWatermark)
                    }
                    if Task.isCancelled || state.isFinished || state.waiting != nil { return (.some(nil), false) }
                    if let code = state.closeCode {
                        state.isFinished = true
                        return (.some(.closed(code)), false)
                    }
                    state.waiting = continuation
                    return (nil, false)
                }
                if let item { continuation.resume(returning: item) }
                if isWritable { onWritable() }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume(returning: nil)
        }
    }
}
