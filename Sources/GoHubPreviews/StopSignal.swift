internal import GoHubSystem

/// A descriptor that becomes readable, for all who wait for it, when something is to stop.
final class StopSignal: Sendable {
    private let wakeup: WakeupDescriptor

    /// - Throws: `PreviewError` when the system has no more descriptors.
    init() throws(PreviewError) {
        do throws(SystemError) {
            wakeup = try WakeupDescriptor()
        } catch {
            throw PreviewError("the system has no more descriptors (\(error)): raise its limit, such as ulimit -n")
        }
    }

    /// To be waited for; never read from.
    var descriptor: Int32 { wakeup.rawValue }

    func send() {
        wakeup.signal()
    }
}
