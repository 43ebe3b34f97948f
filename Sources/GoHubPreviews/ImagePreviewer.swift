internal import Glibc
public import GoHubCore
internal import GoHubPreviewExchange
public import GoHubStore
internal import GoHubSystem
public import Logging
internal import NIOPosix
internal import Synchronization

/// Makes previews in helper processes, one per image, a few at a time, with the users in turn.
///
/// A process for a single image can't reveal anything to the sender of the next one, however the decoder was tricked,
/// and costs 25 ms more than one that is reused. A dedicated thread starts each process, reads its output and waits for
/// its end, never a thread of an event loop or of the cooperative pool.
public final class ImagePreviewer: ImagePreviewing {
    private typealias Answer = Result<ImagePreview, ImagePreviewFailure>

    /// An image that waits for a helper.
    private struct Waiting {
        /// Our own descriptor, open until the answer.
        let input: Int32
        let format: ImageFormat
        let latestStart: MonotonicTime
        let answer: CheckedContinuation<Answer, Never>
    }

    private struct State {
        var queue: PreviewQueue<Waiting>
        /// The number of images in progress.
        var running = 0
        var isStopped = false
    }

    private let settings: PreviewSettings
    private let helper: String
    private let logger: Logger
    private let threads: NIOThreadPool
    private let stop: StopSignal
    private let now: @Sendable () -> MonotonicTime
    private let state: Mutex<State>

    /// Limits log lines, because any sender of images may cause crashes.
    private let throttle = LogThrottle()

    /// - Parameters:
    ///   - settings: the limits on the cost of previews.
    ///   - helper: the path of the program `gohub-preview`, as found by `PreviewHelper.locate`.
    ///   - logger: receives a line when helpers fail, at most one in 10 seconds.
    ///   - now: the clock for waiting images and for log lines.
    /// - Throws: `PreviewError` when the system has no descriptors.
    public init(
        _ settings: PreviewSettings, helper: String, logger: Logger,
        now: @escaping @Sendable () -> MonotonicTime = { .now() }
    ) throws(PreviewError) {
        self.settings = settings
        self.helper = helper
        self.logger = logger
        self.now = now
        state = Mutex(
            State(
                queue: PreviewQueue(
                    waitingMax: settings.waitingMax, userWaitingMax: settings.userWaitingMax)))
        stop = try StopSignal()
        // The threads live as long as the pool, so no helper is killed because its thread has ended.
        threads = NIOThreadPool(numberOfThreads: max(1, settings.processesMax))
        threads.start()
    }

    /// Ends the running helpers. Waiting callers get `busy`. Call it once, after the last image.
    public func shutDown() async {
        state.withLock { $0.isStopped = true }
        stop.send()
        // Fails only for a pool that is no longer running.
        try? await threads.shutdownGracefully()
    }

    // MARK: One image

    /// Makes the preview of one image; see `ImagePreviewing`.
    ///
    /// - Returns: `busy` when too many images wait, in all or of this user, or the previewer is shut down.
    public func preview(
        of descriptor: Int32, format: ImageFormat, for user: UserKey
    ) async -> Result<ImagePreview, ImagePreviewFailure> {
        let input: OwnedDescriptor
        do throws(ImagePreviewFailure) {
            input = try PreviewInput.open(descriptor)
        } catch {
            return .failure(error)
        }
        // Valid until the answer, at the end of this function.
        let ours = input.rawValue
        return await withCheckedContinuation { continuation in
            let image = Waiting(
                input: ours, format: format, latestStart: now() + settings.deadline, answer: continuation)
            switch add(image, of: user) {
            // A thread takes one image per added image, possibly another than this.
            case .waits: threads.submit { [self] work in takeUpNext(isActive: work == .active) }
            case .replaces(let other): other.answer.resume(returning: .failure(.busy))
            case .refused: continuation.resume(returning: .failure(.busy))
            }
        }
    }

    private func add(_ image: Waiting, of user: UserKey) -> PreviewQueue<Waiting>.Addition {
        state.withLock { state in
            guard !state.isStopped else { return .refused }
            return state.queue.add(image, of: user, idle: max(0, settings.processesMax - state.running))
        }
    }

    /// Runs on a thread of the pool.
    ///
    /// - Parameter isActive: false when the pool is stopping; no image is started then.
    private func takeUpNext(isActive: Bool) {
        let image = state.withLock { state in
            let image = state.queue.next()
            if image != nil { state.running += 1 }
            return image
        }
        guard let image else { return }
        // An image that has waited too long isn't started either: the sender waits for its preview, for at most twice
        // the deadline.
        let isBegun = isActive && now() < image.latestStart
        let answer = isBegun ? make(image.input, image.format) : .failure(.busy)
        state.withLock { $0.running -= 1 }
        image.answer.resume(returning: answer)
    }

    /// Runs on a thread of the pool.
    private func make(_ input: Int32, _ format: ImageFormat) -> Result<ImagePreview, ImagePreviewFailure> {
        if let failure = PreviewInput.objection(to: input) { return .failure(failure) }
        let process = HelperProcess(
            path: helper, arguments: settings.order(for: format).arguments,
            outputBytesMax: PreviewAnswer.bytesMax)
        let (outcome, end) = process.run(
            input: input, deadline: MonotonicTime.now() + settings.deadline, stop: stop.descriptor)
        switch outcome {
        case .late: return .failure(.timeout)
        case .stopped: return .failure(.busy)
        case .notStarted(let code):
            logThrottled("the preview helper could not be started", ["path": "\(helper)", "errno": "\(code)"])
            return .failure(.crashed)
        case .tooLong: return crashed(end, "its answer was too long")
        case .output(let bytes):
            switch PreviewAnswer(bytes) {
            case .preview(let width, let height, let placeholder, let webp) where isWithinBounds(width, height):
                return .success(ImagePreview(width: width, height: height, webp: webp, placeholder: placeholder))
            case .tooManyPixels: return .failure(.tooManyPixels)
            case .tooMuchWork: return .failure(.tooMuchWork)
            case .unreadable: return .failure(.unreadable)
            case .unconfined:
                logThrottled("the preview helper could not confine itself (setrlimit, prctl, seccomp)", [:])
                return .failure(.crashed)
            case .preview, nil:
                // SIGXCPU is the limit of its processor time.
                return end == .signal(SIGXCPU) ? .failure(.timeout) : crashed(end, "it gave no valid answer")
            }
        }
    }

    /// Checks conditions that the helper guarantees, if it is still the program that was started.
    private func isWithinBounds(_ width: Int, _ height: Int) -> Bool {
        let (pixels, isTooLarge) = width.multipliedReportingOverflow(by: height)
        return !isTooLarge && pixels <= settings.pixelsMax
    }

    // MARK: LogThrottle

    private func crashed(_ end: HelperProcess.End?, _ what: Logger.Message) -> Result<ImagePreview, ImagePreviewFailure>
    {
        let how =
            switch end {
            case .signal(let signal): "signal \(signal)"
            case .exit(let code): "exit code \(code)"
            case nil: "unknown"
            }
        logThrottled("the preview helper failed: \(what)", ["end": "\(how)"])
        return .failure(.crashed)
    }

    private func logThrottled(_ message: Logger.Message, _ metadata: Logger.Metadata) {
        throttle.log(now: now().nanoseconds) { _ in logger.warning(message, metadata: metadata) }
    }
}
