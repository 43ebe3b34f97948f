internal import CGoHubLinux
internal import Glibc
internal import GoHubPreviewExchange
internal import GoHubSystem

/// The restrictions that the process applies before it examines the image.
///
/// A decoder that an image has compromised then has: this image's bytes, a bounded amount of memory and time, and one
/// pipe to the hub, which trusts nothing that comes out of it. It has no file, socket, process or thread to reach
/// anything else with, and no way to get one.
enum Confinement {
    /// The system refuses one of the limits.
    struct Failure: Error {}

    static func apply(_ order: PreviewOrder) throws(Failure) {
        // Ends with the hub's thread that started it. If that has already ended, the answer's pipe has no reader, and
        // the limits below end the process.
        try set(PR_SET_PDEATHSIG, UInt(SIGKILL))
        // A separate session: no terminal and no signals from one. Fails for a session leader.
        setsid()
        // Nobody may read its memory, and no core is dumped.
        try set(PR_SET_DUMPABLE, 0)
        try limit(RLIMIT_CORE, 0)
        // The program and its libraries are already mapped, so the memory for an image doesn't depend on their size.
        try limit(RLIMIT_AS, mappedBytes() + order.memoryBytesMax)
        // The hard limit is a second higher: the soft one's signal tells the hub the reason.
        try limit(RLIMIT_CPU, order.cpuSecondsMax, hard: order.cpuSecondsMax + 1)
        try limit(RLIMIT_FSIZE, 0)
        // The three that are open.
        try limit(RLIMIT_NOFILE, 3)
        try set(PR_SET_NO_NEW_PRIVS, 1)
        guard SystemCallFilter.install() else { throw Failure() }
    }

    private static func set(_ option: Int32, _ argument: UInt) throws(Failure) {
        guard gohub_prctl(option, argument) == 0 else { throw Failure() }
    }

    private static func limit(_ resource: __rlimit_resource, _ value: Int, hard: Int? = nil) throws(Failure) {
        let resource = __rlimit_resource_t(resource.rawValue)
        var present = rlimit()
        guard getrlimit(resource, &present) == 0 else { throw Failure() }
        // If the process was already given less, that applies.
        let most = min(present.rlim_max, rlim_t(hard ?? value))
        var limit = rlimit(rlim_cur: min(rlim_t(value), most), rlim_max: most)
        guard setrlimit(resource, &limit) == 0 else { throw Failure() }
    }

    /// The size of the address space: the first number of `statm`, in pages (proc(5)).
    private static func mappedBytes() throws(Failure) -> Int {
        guard let text = try? BoundedFile.read("/proc/self/statm", bytesMax: 128),
            let pages = Int(String(decoding: text.prefix { $0 != 0x20 }, as: UTF8.self))
        else { throw Failure() }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }
}
