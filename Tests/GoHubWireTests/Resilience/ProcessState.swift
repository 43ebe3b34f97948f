import CGoHubLinux
import Glibc

/// The resources of a process that a server could leak.
struct ProcessState {
    /// Sorted descriptions of the open descriptors, without their numbers.
    let descriptors: [String]
    /// Bytes allocated with malloc and not freed. Under a sanitizer, which has its own allocator, always the same.
    let heapBytes: Int

    /// Makes processes started from now on count exactly: malloc's caches for each thread, up to 200 KiB, would count
    /// as memory in use. Call it before a test starts its process.
    static func countExactlyInChildren() {
        _ = exactCounting
    }

    private static let exactCounting = setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1)

    static func now() -> ProcessState {
        ProcessState(descriptors: openDescriptors(), heapBytes: Int(gohub_malloc_in_use()))
    }

    private static func openDescriptors() -> [String] {
        guard let folder = opendir("/proc/self/fd") else { return [] }
        defer { closedir(folder) }
        var targets: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 256)
            let count = readlink("/proc/self/fd/\(name)", &buffer, buffer.count)
            guard count > 0 else { continue }
            let target = String(decoding: buffer[..<count], as: UTF8.self)
            // The folder being read is itself an open descriptor.
            if target.hasSuffix("/fd") { continue }
            targets.append(String(target.prefix { $0 != "[" }))
        }
        return targets.sorted()
    }
}

/// Distinguishes leaks from the caches of allocators, runtimes and tables: a leak repeats in every round, a cache does
/// not.
struct HeapGrowth: CustomStringConvertible {
    /// Less than a leaked client would leave.
    enum Leak: Int {
        /// A `Connection` takes 472 bytes plus its contents, an `SSL` many times as much.
        case connection = 400
        /// A session takes 856 more.
        case session = 1_200
    }

    private static let roundsMax = 6

    let leak: Leak

    /// Growth in bytes after each round, per client that could have leaked.
    private var rounds: [Int] = []

    init(of leak: Leak) {
        self.leak = leak
    }

    /// The first round includes everything that is allocated once.
    var isWarmingUp: Bool { rounds.count < 2 }
    var isWithinBounds: Bool { rounds.dropFirst().contains { $0 < leak.rawValue } }
    var wantsAnotherRound: Bool { !isWithinBounds && rounds.count < Self.roundsMax }
    var description: String { "bytes more for each client, round by round: \(rounds)" }

    mutating func add(from before: ProcessState, to after: ProcessState, culprits: Int) {
        rounds.append((after.heapBytes - before.heapBytes) / max(1, culprits))
    }
}
