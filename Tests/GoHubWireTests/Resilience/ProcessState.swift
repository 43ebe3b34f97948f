import CGoHubLinux
import Glibc

/// What a process holds of what a server could leak.
struct ProcessState {
    /// Sorted texts of what each open descriptor is, without their numbers.
    let descriptors: [String]
    /// Bytes that malloc has given and not got back. Under a sanitizer, which has its own allocator, always the same.
    let heapBytes: Int

    /// Has the processes that are started from now on count exactly: malloc's caches for each thread, up to 200 KiB,
    /// look like memory in use. To be called before a process of a test's own.
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
            // The folder that is being read is one itself.
            if target.hasSuffix("/fd") { continue }
            targets.append(String(target.prefix { $0 != "[" }))
        }
        return targets.sorted()
    }
}

/// Tells a leak from what allocators, runtimes and tables keep for next time: a leak is there after every round of the
/// same, and the others are not.
struct HeapGrowth: CustomStringConvertible {
    /// Less than what is left of somebody who is forgotten.
    enum Leak: Int {
        /// A `Connection` takes 472 bytes and what it holds; an `SSL` many times as much.
        case connection = 400
        /// A session takes 856 more.
        case session = 1_200
    }

    private static let roundsMax = 6

    let leak: Leak

    /// Bytes more after each round, for each who could have left them.
    private var rounds: [Int] = []

    init(of leak: Leak) {
        self.leak = leak
    }

    /// The first round makes what is made once.
    var isWarmingUp: Bool { rounds.count < 2 }
    var isWithinBounds: Bool { rounds.dropFirst().contains { $0 < leak.rawValue } }
    var wantsAnotherRound: Bool { !isWithinBounds && rounds.count < Self.roundsMax }
    var description: String { "bytes more for each client, round by round: \(rounds)" }

    mutating func add(from before: ProcessState, to after: ProcessState, culprits: Int) {
        rounds.append((after.heapBytes - before.heapBytes) / max(1, culprits))
    }
}
