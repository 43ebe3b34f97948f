import CGoHubLinux
import Glibc
import GoHubCore
import GoHubStore
import Testing

@testable import GoHubPreviews

/// What a helper inherits from the hub's process, and that it leaves nothing behind.
@Suite struct HelperProcessTests {
    /// Runs a script with a byte as its input.
    private func run(
        _ lines: String, in files: ImageFiles, deadline: MonotonicTime = .now() + .seconds(120)
    ) async throws -> (HelperProcess.Outcome, HelperProcess.End?) {
        let process = HelperProcess(path: try files.script(lines), arguments: ["one", "two"], outputBytesMax: 100)
        let stop = try StopSignal()
        return try await files.withFile(Array("image".utf8)) {
            process.run(input: $0, deadline: deadline, stop: stop.descriptor)
        }
    }

    @Test func itGetsItsArgumentsAndTheFile() async throws {
        let (outcome, end) = try await run(#"printf '%s ' "$@"; cat"#, in: ImageFiles())
        #expect(outcome == .output(Array("one two image".utf8)))
        // It may be killed at any time after it has closed its output.
        #expect([.exit(0), .signal(SIGKILL)].contains(end))
    }

    @Test func helperInheritsNoDescriptorsOrVariables() async throws {
        let files = try ImageFiles()
        // A descriptor that was not set to close on exec.
        let forgotten = dup(STDERR_FILENO)
        defer { close(forgotten) }
        #expect(fcntl(forgotten, F_GETFD) & FD_CLOEXEC == 0)
        // The last one is the directory that `ls` reads.
        let (outcome, _) = try await run("readlink /proc/self/fd/2; exec ls /proc/self/fd", in: files)
        #expect(outcome == .output(Array("/dev/null\n0\n1\n2\n3\n".utf8)))
        _ = try await run("tr '\\0' '\\n' < /proc/$$/environ > \(files.path("variables"))", in: files)
        let variables = try #require(files.text(of: "variables"))
        for line in variables.split(separator: "\n") {
            #expect(line.hasPrefix("SWIFT_BACKTRACE=") || line.hasPrefix("LD_LIBRARY_PATH="))
        }
    }

    @Test func itHasASessionOfItsOwnAndSignalsWork() async throws {
        let files = try ImageFiles()
        // The helper would inherit the hub's ignored signals.
        _ = try await run(
            """
            cut -d ' ' -f 1,6 /proc/$$/stat > \(files.path("ids"))
            grep SigIgn /proc/$$/status > \(files.path("signals"))
            """, in: files)
        let ids = try #require(files.text(of: "ids")).split { $0.isWhitespace }
        #expect(ids.count == 2 && ids[0] == ids[1])
        let ignored = try #require(files.text(of: "signals")?.split { $0.isWhitespace }.last)
        let mask = try #require(UInt64(ignored, radix: 16))
        #expect(mask & (1 << UInt64(SIGPIPE - 1)) == 0)
    }

    /// The test gets an `end` only for a process that was reaped.
    @Test func helperIsKilledAtDeadline() async throws {
        let (outcome, end) = try await run("exec sleep 3600", in: ImageFiles(), deadline: .now() + 50)
        #expect(outcome == .late)
        #expect(end == .signal(SIGKILL))
    }

    @Test func helpersChildrenAreKilled() async throws {
        let files = try ImageFiles()
        let (outcome, end) = try await run(
            "sleep 3600 > /dev/null & echo $! > \(files.path("other")); exec sleep 3600 > /dev/null", in: files)
        #expect(outcome == .output([]))
        #expect(end == .signal(SIGKILL))
        let text = try #require(files.text(of: "other")?.split { $0.isWhitespace }.first)
        let other = try #require(pid_t(text))
        // It has been killed. The parent of orphans on this machine may not reap it.
        while kill(other, 0) == 0, !isDead(other) { await Task.yield() }
    }

    private func isDead(_ process: pid_t) -> Bool {
        let file = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return true }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 512)
        let count = read(file, &text, text.count)
        return count <= 0 || String(decoding: text[..<count], as: UTF8.self).contains(") Z ")
    }

    @Test func itsOutputIsBounded() async throws {
        #expect(
            try await run("exec head -c 100 /dev/zero", in: ImageFiles()).0 == .output(.init(repeating: 0, count: 100)))
        let (outcome, end) = try await run("exec head -c 101 /dev/zero", in: ImageFiles())
        #expect(outcome == .tooLong)
        #expect(end != nil)
    }

    @Test func missingProgramIsNotStarted() async throws {
        let stop = try StopSignal()
        let process = HelperProcess(path: "/nowhere/helper", arguments: [], outputBytesMax: 1)
        let (outcome, end) = try await ImageFiles().withFile([1]) {
            process.run(input: $0, deadline: .now() + .seconds(120), stop: stop.descriptor)
        }
        #expect(outcome == .notStarted(ENOENT))
        #expect(end == nil)
    }

    /// In a separate process, which closes two of its standard descriptors.
    @Test func aPipeInThePlaceOfAStandardDescriptorIsReadAll() async {
        await #expect(processExitsWith: .success) {
            let files = try ImageFiles()
            let process = HelperProcess(path: try files.script("exec cat"), arguments: [], outputBytesMax: 100)
            let stop = try StopSignal()
            let (outcome, _) = try await files.withFile(Array("image".utf8)) { input in
                close(STDOUT_FILENO)
                close(STDERR_FILENO)
                return process.run(input: input, deadline: .now() + .seconds(120), stop: stop.descriptor)
            }
            guard outcome == .output(Array("image".utf8)) else { exit(1) }
        }
    }

    /// In a separate process, whose descriptors no other test opens or closes.
    @Test func noDescriptorAndNoProcessIsLeft() async {
        await #expect(processExitsWith: .success) {
            func descriptors() -> Int {
                guard let stream = opendir("/proc/self/fd") else { return -1 }
                defer { closedir(stream) }
                var count = 0
                while readdir(stream) != nil { count += 1 }
                return count
            }
            let files = try ImageFiles()
            try await withPreviewer(helper: files.script("kill -9 $$")) { previewer in
                try await files.withFile([1]) { descriptor in
                    _ = await previewer.preview(of: descriptor, format: .png)
                    let before = descriptors()
                    for _ in 0..<10 { _ = await previewer.preview(of: descriptor, format: .png) }
                    guard descriptors() == before else { exit(1) }
                }
            }
            // Neither a running child nor a zombie.
            guard waitpid(-1, nil, WNOHANG) == -1, errno == ECHILD else { exit(2) }
        }
    }
}
