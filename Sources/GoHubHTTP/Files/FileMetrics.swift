internal import GoHubCore
internal import Metrics

/// The metrics of files.
struct FileMetrics: Sendable {
    private let uploads = Counter(label: "gohub_file_uploads_total")
    private let uploadedBytes = Counter(label: "gohub_file_uploaded_bytes_total")
    private let downloads = Counter(label: "gohub_file_downloads_total")
    private let downloadedBytes = Counter(label: "gohub_file_downloaded_bytes_total")

    func finished() { uploads.increment() }

    func received(bytes: Int) { uploadedBytes.increment(by: bytes) }

    func downloading() { downloads.increment() }

    func sent(bytes: Int) { downloadedBytes.increment(by: bytes) }

    /// Codes are few, so they make a bounded label.
    func failed(_ code: FileError.Code) {
        Counter(label: "gohub_file_failures_total", dimensions: [("code", code.rawValue)]).increment()
    }
}
