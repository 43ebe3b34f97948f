internal import GoHubCore
internal import GoHubSystem

/// A thread for blocking work on files, with its queue. An upload is always on the same lane, which therefore needs no
/// lock: all its operations are sequential.
final class FileWorker: Sendable {
    struct Job: Sendable {
        let run: @Sendable (FileUploads) -> Void
        let refuse: @Sendable (FileError) -> Void
    }

    private let queue: RequestQueue<Job>
    private let ended = Latch(count: 1)

    /// The limit of queued jobs that begin something; further ones are refused.
    private static let weightMax = 8 * 1024 * 1024
    private static let jobWeight = 4096

    init(_ index: Int, _ folder: FileFolder) throws(StoreError) {
        queue = try RequestQueue(weightMax: Self.weightMax)
        try StoreThread.start(name: "gohub-files-\(index)") { [queue, ended] in
            Self.run(queue, FileUploads(folder))
            ended.countDown()
        }
    }

    deinit {
        queue.close()
    }

    /// Adds a job that begins something.
    func add(_ job: Job) {
        guard let refusal = queue.put(job, weight: Self.jobWeight) else { return }
        switch refusal {
        case .full: job.refuse(.busy)
        case .closed: job.refuse(.unavailable(refusal.error))
        }
    }

    /// Adds a job that continues an operation of this lane. The number is bounded, because open uploads and readers are
    /// bounded, and each has one piece in progress.
    func resume(_ job: Job) {
        if let refusal = queue.put(job, weight: 0) { job.refuse(.unavailable(refusal.error)) }
    }

    func close() async {
        queue.close()
        await ended.wait()
    }

    private static func run(_ queue: RequestQueue<Job>, _ uploads: FileUploads) {
        while true {
            let (entries, isClosed) = queue.take(weightMax: 64 * jobWeight)
            for entry in entries { entry.request.run(uploads) }
            guard entries.isEmpty else { continue }
            if isClosed { return uploads.close() }
            queue.wakeup.wait(.seconds(3600))
        }
    }
}
