internal import CGoHubLinux
internal import Glibc
internal import GoHubPreviewExchange
internal import GoHubSystem

/// What the process gives up before it looks at a single byte of the image.
///
/// A decoder that an image has taken over has then: this image's bytes, a bounded amount of memory and of time, and one
/// pipe to the hub, which believes nothing that comes out of it. It has no file, socket, process or thread to reach
/// anything else with, and no way to get one.
enum Confinement {
    /// The system refuses one of the limits.
    struct Failure: Error {}

    static func apply(_ order: PreviewOrder) throws(Failure) {
        // Ends with the hub's thread that started it. If that has ended before, the answer's pipe has no reader, and
        // the limits below end what is left.
        try set(PR_SET_PDEATHSIG, UInt(SIGKILL))
        // A session of its own: no terminal's signals, and no terminal. Fails for who leads one already.
        setsid()
        // Nobody may look into its memory, nor is any of it written down.
        try set(PR_SET_DUMPABLE, 0)
        try limit(RLIMIT_CORE, 0)
        // The program and its libraries are mapped already, so what an image may take doesn't depend on how large they
        // are.
        try limit(RLIMIT_AS, mappedBytes() + order.memoryBytesMax)
        // A second more to the hard limit: the soft one's signal tells the hub why.
        try limit(RLIMIT_CPU, order.cpuSecondsMax, hard: order.cpuSecondsMax + 1)
        try limit(RLIMIT_FSIZE, 0)
        // The three that are there.
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
        // Where the process was given less already, that holds.
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
