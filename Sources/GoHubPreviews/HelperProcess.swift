internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// One run of a helper program: it gets one open file, writes its output, and has ended when this returns.
///
/// Must be called on a thread that may block and that outlives the process: the helper asks the system to be killed
/// when the thread that started it ends.
struct HelperProcess {
    enum Outcome: Hashable {
        /// Its complete standard output.
        case output([UInt8])
        /// It wrote more than the limit, and was killed.
        case tooLong
        /// It exceeded the time limit, and was killed.
        case late
        /// The hub is stopping; it was killed.
        case stopped
        /// The system could not provide a process or a pipe (errno).
        case notStarted(Int32)
    }

    /// The end of the process: the signal that killed it, or its exit code.
    enum End: Hashable {
        case signal(Int32)
        case exit(Int32)
    }

    let path: String
    let arguments: [String]
    /// The maximum size of its output.
    let outputBytesMax: Int

    /// - Parameters:
    ///   - input: becomes its standard input; above 2, and stays the caller's.
    ///   - stop: ends it when this descriptor becomes readable, or its other end is closed.
    /// - Returns: the result, and how the process ended, if it started.
    func run(input: Int32, deadline: MonotonicTime, stop: Int32) -> (Outcome, End?) {
        let running: Running
        do throws(SystemError) {
            running = try start(input: input)
        } catch {
            return (.notStarted(error.code), nil)
        }
        let process = running.process
        let outcome = read(running.output.rawValue, deadline: deadline, stop: stop)
        // Killed in any state, because it has written its output. Its session is killed, too, in case it has started
        // processes. Its number can't have been reused before the wait for it.
        kill(-process, SIGKILL)
        kill(process, SIGKILL)
        return (outcome, wait(for: process))
    }

    // MARK: Steps

    private struct Running: ~Copyable {
        let process: pid_t
        /// The reading end of its output, which ends with it.
        let output: OwnedDescriptor
    }

    private func start(input: Int32) throws(SystemError) -> Running {
        var ends: [Int32] = [-1, -1]
        // Fills in the array's two elements. Both are closed on exec.
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("pipe2") }
        let reading = OwnedDescriptor(owning: ends[0])
        let writing = OwnedDescriptor(owning: ends[1])
        guard writing.rawValue <= STDERR_FILENO else {
            return Running(process: try spawn(input: input, output: writing.rawValue), output: reading)
        }
        // If the hub was started without standard descriptors, the pipe may have their numbers, which the helper needs
        // for its own.
        let moved = try OwnedDescriptor("fcntl") { fcntl(writing.rawValue, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) }
        return Running(process: try spawn(input: input, output: moved.rawValue), output: reading)
    }

    /// - Parameter output: above the standard descriptors. The caller must close it: only the helper's copy remains
    ///   then, so that the output ends with the helper.
    private func spawn(input: Int32, output: Int32) throws(SystemError) -> pid_t {
        // Both are plain structures that keep their address until they are destroyed at the end of this function.
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // Library messages about an image don't belong in the hub's log. This comes first: standard error can't be one
        // of the two below, which are above 2.
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        // All are closed on exec; this covers those that some library has forgotten.
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        // The hub's signal handling must not apply to the helper.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(GOHUB_SPAWN_SETSID))
        // Copies that live until the end of the call, in which the system copies them again. A null pointer ends each
        // list: if there was no memory for a copy, the process would get a shorter list.
        let texts = ([path] + arguments).map { strdup($0) } + [nil]
        let variables = Self.environment.map { strdup($0) } + [nil]
        defer { for text in texts + variables { free(text) } }
        guard !(texts.dropLast() + variables.dropLast()).contains(nil) else {
            throw SystemError("strdup", code: ENOMEM)
        }
        var process = pid_t()
        let code = posix_spawn(&process, path, &actions, &attributes, texts, variables)
        guard code == 0 else { throw SystemError("posix_spawn", code: code) }
        return process
    }

    /// Nothing of the hub's environment, which may contain secrets, except for the path of the Swift libraries if it is
    /// set. A crash should be quick, without a backtrace.
    private static let environment: [String] =
        ["SWIFT_BACKTRACE=enable=no"]
        + (getenv("LD_LIBRARY_PATH").map { ["LD_LIBRARY_PATH=\(String(cString: $0))"] } ?? [])

    private func read(_ output: Int32, deadline: MonotonicTime, stop: Int32) -> Outcome {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let now = MonotonicTime.now()
            guard now < deadline else { return .late }
            var waiting = [
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
            ]
            // Rounded up by a millisecond, so as not to wake repeatedly just before the deadline.
            let milliseconds = (deadline.nanoseconds - now.nanoseconds) / 1_000_000 + 1
            // At most the array's count; the system only sets the returned events.
            guard poll(&waiting, 2, Int32(clamping: milliseconds)) > 0 else { continue }
            if waiting[1].revents != 0 { return .stopped }
            guard waiting[0].revents != 0 else { continue }
            // At most the size of the buffer, which lives for the call.
            let count = retryingInterrupts { Glibc.read(output, &buffer, buffer.count) }
            guard count > 0 else { return .output(bytes) }
            guard bytes.count + count <= outputBytesMax else { return .tooLong }
            bytes += buffer[..<count]
        }
    }

    private func wait(for process: pid_t) -> End? {
        var status: Int32 = 0
        guard retryingInterrupts({ waitpid(process, &status, 0) }) >= 0 else { return nil }
        // The lowest 7 bits are the signal, the next 8 the exit code (wait(2), as its macros read them).
        let signal = status & 0x7F
        return signal == 0 ? .exit(status >> 8 & 0xFF) : .signal(signal)
    }
}
