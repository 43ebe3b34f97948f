internal import Dispatch
internal import GoHubSystem
internal import Synchronization

/// Writes log lines to a descriptor through a queue, so that no caller waits for the reader of the log.
///
/// Standard error is often a pipe, and a pipe whose reader has stopped blocks its writer: an event loop that logged
/// there would stop with it. So lines are put into a bounded buffer. Lines that don't fit while the reader is behind
/// are dropped, and a line reports their number afterwards. The same applies to lines that can't be written at all (a
/// full disk, a pipe without a reader): the process continues without them.
final class LogOutput: TextOutputStream, Sendable {
    /// Waiting bytes; as many again may be on their way to the descriptor.
    static let bytesMax = 1024 * 1024

    private struct State {
        var waiting: [UInt8] = []
        var lineCount = 0
        var lostCount = 0
        var isWriting = false
    }

    private struct Batch {
        var bytes: [UInt8]
        var lineCount: Int
        /// The number that the batch's last line reports.
        var lostCount: Int
    }

    private let descriptor: Int32
    private let bytesMax: Int
    private let lossLine: @Sendable (Int) -> String
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "log")

    /// - Parameters:
    ///   - descriptor: owned by the caller, and stays open.
    ///   - lossLine: a line, with its end, that reports the number of dropped lines.
    init(descriptor: Int32, bytesMax: Int = LogOutput.bytesMax, lossLine: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.bytesMax = bytesMax
        self.lossLine = lossLine
    }

    /// Accepts one line with its end, without waiting.
    func write(_ line: String) {
        let mustStart = state.withLock { state in
            let bytes = line.utf8
            guard bytes.count <= bytesMax - state.waiting.count else {
                state.lostCount += 1
                return false
            }
            state.waiting += bytes
            state.lineCount += 1
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { queue.async { self.drain() } }
    }

    /// Waits until everything is written, for at most a second: before the process ends.
    func flush() {
        let isDone = DispatchSemaphore(value: 0)
        queue.async { isDone.signal() }
        _ = isDone.wait(timeout: .now() + .seconds(1))
    }

    private func drain() {
        var isWritable = true
        while let batch = takeBatch(mayReportLossAlone: isWritable) {
            isWritable = writeEverything(batch.bytes, to: descriptor)
            guard !isWritable else { continue }
            state.withLock { $0.lostCount += batch.lineCount + batch.lostCount }
        }
    }

    private func takeBatch(mayReportLossAlone: Bool) -> Batch? {
        state.withLock { state in
            guard !state.waiting.isEmpty || (state.lostCount > 0 && mayReportLossAlone) else {
                state.isWriting = false
                return nil
            }
            let loss = state.lostCount > 0 ? Array(lossLine(state.lostCount).utf8) : []
            defer { (state.waiting, state.lineCount, state.lostCount) = ([], 0, 0) }
            return Batch(bytes: state.waiting + loss, lineCount: state.lineCount, lostCount: state.lostCount)
        }
    }
}
