import CGoHubLinux
import Glibc
import GoHubPreviewExchange
import Testing

/// The privileges that the real helper has dropped by the time of its first output, according to the kernel.
@Suite struct ConfinementTests {
    /// A helper that blocks on its answer, because its pipe is too small and nobody reads it.
    private final class StuckHelper {
        let process: pid_t
        private let output: Int32

        init(image: Int32, _ order: PreviewOrder) throws {
            var ends: [Int32] = [-1, -1]
            try #require(pipe2(&ends, O_CLOEXEC) == 0)
            // F_SETPIPE_SZ: one page.
            _ = fcntl(ends[1], 1031, 4096)
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, image, STDIN_FILENO)
            posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
            // An inherited socket or pipe of another test would never reach its end there.
            posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
            let path = try helperPath()
            let texts = ([path] + order.arguments).map { strdup($0) } + [nil]
            defer { for text in texts { free(text) } }
            var process = pid_t()
            let variables: [UnsafeMutablePointer<CChar>?] = [nil]
            let code = posix_spawn(&process, path, &actions, nil, texts, variables)
            close(ends[1])
            self.process = process
            output = ends[0]
            try #require(code == 0)
            // The beginning of its answer.
            var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waiting, 1, 120_000) == 1)
        }

        deinit {
            close(output)
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }

        func proc(_ name: String) throws -> String {
            let file = open("/proc/\(process)/\(name)", O_RDONLY | O_CLOEXEC)
            try #require(file >= 0)
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 16_384)
            let count = read(file, &bytes, bytes.count)
            return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
        }
    }

    /// For an image whose preview is larger than a page.
    private func withStuckHelper(_ body: (StuckHelper) throws -> Void) async throws {
        var state: UInt32 = 1
        let noise = try Drawing(width: 200, height: 200) { _, _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Int32(state >> 8)
        }
        try await ImageFiles().withFile(try noise.png()) { image in
            let order = PreviewOrder(
                format: "png", pixelsMax: 1_000_000, memoryBytesMax: 64 * 1024 * 1024, cpuSecondsMax: 7)
            try body(try StuckHelper(image: image, order))
        }
    }

    @Test func confinedHelperHasNoRights() async throws {
        try await withStuckHelper { helper in
            let status = try helper.proc("status")
            #expect(status.contains("NoNewPrivs:\t1\n"))
            // 2 is a filter of system calls (proc(5)).
            #expect(status.contains("Seccomp:\t2\n"))
            #expect(status.contains("Threads:\t1\n"))
            // Its session.
            let fields = try helper.proc("stat").split(separator: " ")
            #expect(fields[5] == "\(helper.process)")
        }
    }

    @Test func confinedHelperIsLimited() async throws {
        try await withStuckHelper { helper in
            var limits: [String: [String]] = [:]
            for line in try helper.proc("limits").split(separator: "\n").dropFirst() {
                limits[line.prefix(26).description.trimmed] =
                    line.dropFirst(26).split(separator: " ").prefix(2).map(String.init)
            }
            #expect(limits["Max cpu time"] == ["7", "8"])
            #expect(limits["Max file size"] == ["0", "0"])
            #expect(limits["Max core file size"] == ["0", "0"])
            #expect(limits["Max open files"] == ["3", "3"])
            // The program's own size, which is unknown here, and 64 MiB.
            let memory = try #require(limits["Max address space"]?.first.flatMap { Int($0) })
            #expect(memory > 64 * 1024 * 1024)
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}
