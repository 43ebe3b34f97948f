internal import GoHubSystem

/// A descriptor that becomes readable for all waiting threads when they must stop.
final class StopSignal: Sendable {
    private let wakeup: WakeupDescriptor

    /// - Throws: `PreviewError` when the system has no more descriptors.
    init() throws(PreviewError) {
        do throws(SystemError) {
            wakeup = try WakeupDescriptor()
        } catch {
            throw PreviewError(
                "No file descriptors are left (\(error)). Raise the limit (ulimit -n).", underlying: error)
        }
    }

    /// For waiting only; never read from.
    var descriptor: Int32 { wakeup.rawValue }

    func send() {
        wakeup.signal()
    }
}
