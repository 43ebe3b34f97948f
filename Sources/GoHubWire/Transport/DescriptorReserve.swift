internal import Glibc

/// Descriptors that no client's connection may take, because other code in the process depends on them.
///
/// Swift's own runtime is the reason: libdispatch, under all `async` code, opens a file each second while it has work,
/// and ends the process when it can't.
enum DescriptorReserve {
    private static let countMax = 256

    /// Whether so few are left that this one, just opened, must be closed again.
    ///
    /// The system assigns the lowest free number: all below it are in use.
    static func isTouched(by descriptor: Int32) -> Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return false }
        let total = Int(clamping: limit.rlim_cur)
        return Int(descriptor) >= total - min(countMax, total / 8)
    }
}
